package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// tracer prints each request of the demo: method, path, status and time. It is told nothing of headers and bodies, and
// the paths of these requests hold ids only.
type tracer struct {
	base http.RoundTripper

	mu     sync.Mutex
	w      io.Writer
	counts m2mtest.Cost
}

func (t *tracer) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := t.base.RoundTrip(req)
	status := "no reply"
	if err == nil {
		status = fmt.Sprint(resp.StatusCode)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "  %-6s %-68s %s  %s\n", req.Method, req.URL.Path, status, time.Since(start).Round(10*time.Microsecond))
	if err == nil {
		switch {
		case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/m2m_tokens") && resp.StatusCode == http.StatusCreated:
			t.counts.M2MTokensCreated++
		case strings.HasSuffix(req.URL.Path, "/m2m_tokens/verify"):
			t.counts.OpaqueVerifications++ // the demo has JWTs verified by their signature
		}
	}
	return resp, err
}

// cost counts what Clerk bills.
func (t *tracer) cost() m2mtest.Cost {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}
