package m2mtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// get asks for the key set, and gives what came of it.
func get(t *testing.T, b *backend, path string) (status int, header http.Header, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.SecretKey())
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(read), err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault m2mtest.Fault
		check func(t *testing.T, status int, header http.Header, body string, err error)
	}{
		{"status", m2mtest.Fault{Status: 503, RetryAfter: 1500 * time.Millisecond}, func(t *testing.T, status int, header http.Header, body string, err error) {
			if status != 503 || header.Get("Retry-After") != "2" || !strings.Contains(body, `"clerk_trace_id"`) || err != nil {
				t.Errorf("%d %v %s %v", status, header, body, err)
			}
		}},
		{"too many", m2mtest.Fault{Status: 429, RetryAfter: time.Second}, func(t *testing.T, status int, header http.Header, body string, err error) {
			if status != 429 || header.Get("Retry-After") != "1" || !strings.Contains(body, `"too_many_requests"`) || err != nil {
				t.Errorf("%d %v %s %v", status, header, body, err)
			}
		}},
		{"reset", m2mtest.Fault{Reset: true}, func(t *testing.T, _ int, _ http.Header, _ string, err error) {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("the error is %v", err)
			}
		}},
		{"truncate", m2mtest.Fault{Truncate: true}, func(t *testing.T, status int, _ http.Header, body string, err error) {
			if status != 200 || body == "" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d %q %v", status, body, err)
			}
		}},
		{"body", m2mtest.Fault{Body: "<html>", ContentType: "text/html"}, func(t *testing.T, status int, header http.Header, body string, err error) {
			if status != 200 || body != "<html>" || header.Get("Content-Type") != "text/html" || err != nil {
				t.Errorf("%d %v %q %v", status, header, body, err)
			}
		}},
		{"status and body", m2mtest.Fault{Status: 502, Body: "bad gateway"}, func(t *testing.T, status int, _ http.Header, body string, err error) {
			if status != 502 || body != "bad gateway" || err != nil {
				t.Errorf("%d %q %v", status, body, err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/v1/jwks", "/.well-known/jwks.json"} {
				b := newBackend(t)
				test.fault.Operation, test.fault.Count = "GetJWKS", 1
				b.Faults(test.fault)
				status, header, body, err := get(t, b, path)
				test.check(t, status, header, body, err)
				if calls := b.Calls(); len(calls) != 1 || !calls[0].Fault || test.fault.Reset != (calls[0].Status == 0) {
					t.Errorf("the calls are %+v", calls)
				}
				if status, _, _, err := get(t, b, path); status != 200 || err != nil {
					t.Errorf("the fault struck twice: %d %v", status, err)
				}
			}
		})
	}
}

// Whether a call takes effect decides whether it may be sent again.
func TestFaultEffect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault   m2mtest.Fault
		created int
	}{
		{m2mtest.Fault{Status: 500}, 0},
		{m2mtest.Fault{Status: 500, AfterEffect: true}, 1},
		{m2mtest.Fault{Reset: true}, 0},
		{m2mtest.Fault{Reset: true, AfterEffect: true}, 1},
		{m2mtest.Fault{Truncate: true}, 1},
		{m2mtest.Fault{Latency: time.Millisecond}, 1},
	} {
		b := newBackend(t)
		b.Faults(test.fault)
		req, err := http.NewRequestWithContext(t.Context(), "POST", b.URL()+"/v1/m2m_tokens", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+string(b.Machine().SecretKey))
		req.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
		if got := b.Cost().M2MTokensCreated; got != test.created {
			t.Errorf("%+v: %d tokens were created, not %d", test.fault, got, test.created)
		}
	}
}

func TestFaultChoice(t *testing.T) {
	t.Parallel()
	b := newBackend(t, m2mtest.WithSeed(1))
	b.Faults(
		m2mtest.Fault{Operation: "ListMachines", Status: 500},
		m2mtest.Fault{Operation: "GetJWKS", Probability: 0.5, Status: 503},
	)
	var struck int
	for range 200 {
		if status, _, _, _ := get(t, b, "/v1/jwks"); status == 503 {
			struck++
		}
	}
	if struck < 60 || struck > 140 {
		t.Errorf("%d of 200 were struck", struck)
	}
	b.ClearFaults()
	if status, _, _, _ := get(t, b, "/v1/machines"); status != 200 {
		t.Errorf("%d after ClearFaults", status)
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	b.Faults(m2mtest.Fault{Latency: 30 * time.Millisecond, Count: 1}, m2mtest.Fault{Latency: time.Hour})
	begin := time.Now()
	if status, _, _, err := get(t, b, "/v1/jwks"); status != 200 || err != nil || time.Since(begin) < 30*time.Millisecond {
		t.Errorf("%d %v after %v", status, err, time.Since(begin))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", b.URL()+"/v1/jwks", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	if len(b.Calls()) != 2 {
		t.Errorf("the calls are %v", b.Calls())
	}
	if err := b.Close(); err != nil { // does not wait for an hour
		t.Error(err)
	}
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]m2mtest.Fault{
		"operation=verifyM2MToken,status=503,retry-after=2s,probability=0.1": {Operation: "verifyM2MToken", Status: 503, RetryAfter: 2 * time.Second, Probability: 0.1},
		"latency=200ms, count=3":             {Latency: 200 * time.Millisecond, Count: 3},
		"reset,after-effect":                 {Reset: true, AfterEffect: true},
		"truncate":                           {Truncate: true},
		"body=<html>,content-type=text/html": {Body: "<html>", ContentType: "text/html"},
	} {
		if got, err := m2mtest.ParseFault(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "colour=red", "status=abc", "status=99", "status=600", "operation=verify", "probability=2", "count=-1", "latency=-1s", "retry-after=1s"} {
		if got, err := m2mtest.ParseFault(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
