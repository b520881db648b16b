module ideamint/http_load

go 1.19
