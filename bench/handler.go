package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	clerkhttp "github.com/clerk/clerk-sdk-go/v2/http"

	"github.com/m2mauth/clerk-m2m/authn"
)

const (
	loadConns  = 16
	loadRounds = 9
	loadSlice  = 400 * time.Millisecond
)

// load is what one slice of load saw: it is what the load process prints.
type load struct {
	Requests int
	Failed   int
	Seconds  float64
	P99      time.Duration
}

// handlerResult is what was measured of a handler.
type handlerResult struct {
	Name   string
	Rate   float64 // requests per second, median
	Ratio  float64 // of the plain handler's rate in the same round, median
	P99    time.Duration
	Failed int
}

// handlers measures requests per second behind middleware, with the load made by another process.
func handlers(ctx context.Context) ([]handlerResult, error) {
	s, err := newSigner("RS256")
	if err != nil {
		return nil, err
	}
	token, err := s.sign(nil, claims(1))
	if err != nil {
		return nil, err
	}
	a, err := authenticator(s)
	if err != nil {
		return nil, err
	}
	cold, err := authenticator(s, authn.WithTokenCache(authn.TokenCache{Size: -1}))
	if err != nil {
		return nil, err
	}
	plain := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	subjects := []struct {
		name string
		h    http.Handler
	}{
		{"plain handler", plain},
		{"authn.Require, token remembered", a.Require(authn.M2MToken)(plain)},
		{"authn.Require, cold", cold.Require(authn.M2MToken)(plain)},
		{"clerk-sdk-go middleware", clerkhttp.RequireHeaderAuthorization(clerkhttp.JSONWebKey(s.pem))(plain)},
	}
	results := make([]handlerResult, len(subjects))
	rates := make([][]float64, len(subjects))
	p99 := make([][]float64, len(subjects))
	urls := make([]string, len(subjects))
	for i, sub := range subjects {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		srv := &http.Server{Handler: sub.h, ReadHeaderTimeout: time.Minute}
		go func() { _ = srv.Serve(ln) }()
		defer srv.Close()
		urls[i], results[i].Name = "http://"+ln.Addr().String(), sub.name
	}
	order := []int{0, 1, 2, 3}
	for range loadRounds {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			l, err := startLoad(ctx, urls[i], token)
			if err != nil {
				return nil, err
			}
			rates[i] = append(rates[i], float64(l.Requests)/l.Seconds)
			p99[i] = append(p99[i], float64(l.P99))
			results[i].Failed += l.Failed
		}
	}
	for i := range results {
		ratios := make([]float64, loadRounds)
		for r := range ratios {
			ratios[r] = rates[i][r] / rates[0][r]
		}
		results[i].Rate, results[i].Ratio = quantile(rates[i], .5), quantile(ratios, .5)
		results[i].P99 = time.Duration(quantile(p99[i], .5))
	}
	return results, nil
}

// startLoad runs this program again as the process that makes the load. The token goes over stdin.
func startLoad(ctx context.Context, url, token string) (load, error) {
	var l load
	cmd := exec.CommandContext(ctx, os.Args[0], "-load", url)
	cmd.Stdin = strings.NewReader(token)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return l, fmt.Errorf("the load process: %w", err)
	}
	if err := json.Unmarshal(out, &l); err != nil {
		return l, fmt.Errorf("what the load process printed: %w", err)
	}
	if l.Failed > 0 {
		return l, fmt.Errorf("%s: %d of %d requests failed", url, l.Failed, l.Requests)
	}
	return l, nil
}

// makeLoad is the load process: loadConns connections ask as fast as they can for loadSlice.
func makeLoad(url string, in io.Reader, out io.Writer) error {
	token, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loadConns}}
	var mu sync.Mutex
	var total load
	var latencies []float64
	var wg sync.WaitGroup
	start := time.Now()
	for range loadConns {
		wg.Go(func() {
			var mine []float64
			failed := 0
			for time.Since(start) < loadSlice {
				t := time.Now()
				req, err := http.NewRequest(http.MethodGet, url, nil)
				if err != nil {
					failed++
					break
				}
				req.Header.Set("Authorization", "Bearer "+string(token))
				resp, err := client.Do(req)
				if err != nil {
					failed++
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					failed++
				}
				mine = append(mine, float64(time.Since(t)))
			}
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, mine...)
			total.Failed += failed
		})
	}
	wg.Wait()
	total.Seconds = time.Since(start).Seconds()
	total.Requests = len(latencies)
	total.P99 = time.Duration(quantile(latencies, .99))
	return json.NewEncoder(out).Encode(total)
}

func printHandlers(w io.Writer, results []handlerResult) {
	fmt.Fprintf(w, "\nA handler behind middleware, %d connections from another process\n", loadConns)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trequests/s\tof plain\tp99\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%s\t\n", r.Name, r.Rate, r.Ratio, r.P99.Round(10*time.Microsecond))
	}
	_ = t.Flush()
}
