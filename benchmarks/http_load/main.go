// Closed-loop HTTP load on one local server: N keep-alive connections, each sends its next request after a response.
//
// `http_load PLAN.json` reads host, port, seconds, and for each connection its requests as templates in which `{key}` is
// replaced by a new idempotency key. It prints counts by status and latencies as JSON. It uses one thread, since it shares
// the machine with the server; `cores` is its CPU use.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type plan struct {
	Host        string     `json:"host"`
	Port        int        `json:"port"`
	Seconds     float64    `json:"seconds"`
	Connections [][]string `json:"connections"`
}

type result struct {
	ElapsedS float64     `json:"elapsed_s"`
	Statuses map[int]int `json:"statuses"`
	P50Ms    float64     `json:"p50_ms"`
	P99Ms    float64     `json:"p99_ms"`
	MaxMs    float64     `json:"max_ms"`
	Cores    float64     `json:"cores"`
}

type response struct {
	status  int
	latency time.Duration
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: http_load PLAN.json"))
	}
	text, err := os.ReadFile(os.Args[1])
	fail(err)
	var p plan
	fail(json.Unmarshal(text, &p))

	responses := make([][]response, len(p.Connections))
	errs := make([]error, len(p.Connections))
	started := time.Now()
	until := started.Add(time.Duration(p.Seconds * float64(time.Second)))
	var all sync.WaitGroup
	for number := range p.Connections {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			responses[number], errs[number] = run(p, number, until)
		}(number)
	}
	all.Wait()
	elapsed := time.Since(started)
	for _, err := range errs {
		fail(err)
	}
	fail(json.NewEncoder(os.Stdout).Encode(summarise(responses, elapsed)))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run sends one connection's requests in turn until the end of the measurement.
func run(p plan, number int, until time.Time) ([]response, error) {
	connection, err := net.Dial("tcp", net.JoinHostPort(p.Host, strconv.Itoa(p.Port)))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, 16<<10)
	templates := p.Connections[number]
	var responses []response
	for sent := 0; ; sent++ {
		key := fmt.Sprintf("%d-%d-%d", number, sent, time.Now().UnixNano())
		request := bytes.ReplaceAll([]byte(templates[sent%len(templates)]), []byte("{key}"), []byte(key))
		// the template's Content-Length is the length of its body, which contains no key
		began := time.Now()
		if _, err := connection.Write(request); err != nil {
			return nil, err
		}
		status, err := read(reader)
		if err != nil {
			return nil, fmt.Errorf("connection %d, request %d: %w", number, sent, err)
		}
		now := time.Now()
		responses = append(responses, response{status, now.Sub(began)})
		if now.After(until) {
			return responses, nil
		}
	}
}

// read reads one whole response and returns its status.
func read(reader *bufio.Reader) (int, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("not a status line: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, err
	}
	length := 0
	for {
		line, err = reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, reader, int64(length))
	return status, err
}

func summarise(responses [][]response, elapsed time.Duration) result {
	r := result{ElapsedS: elapsed.Seconds(), Statuses: map[int]int{}}
	var latencies []float64
	for _, each := range responses {
		for _, a := range each {
			r.Statuses[a.status]++
			latencies = append(latencies, float64(a.latency.Nanoseconds())/1e6)
		}
	}
	sort.Float64s(latencies)
	n := len(latencies)
	r.P50Ms, r.P99Ms, r.MaxMs = latencies[n/2], latencies[n*99/100], latencies[n-1]
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		used := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		r.Cores = used.Seconds() / r.ElapsedS
	}
	return r
}
