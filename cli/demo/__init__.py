"""The demo: campaigns of a fictitious company, created through the same services and ledger as real data."""
