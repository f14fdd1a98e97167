package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// ledger holds what the invariants are checked against: every token that reached a source, every attempt to create one,
// every body that was opened, and what was found wrong.
type ledger struct {
	mu         sync.Mutex
	tokens     map[string]*minted
	latest     map[string]*minted // by source
	delivered  int                // tokens that reached a source
	uncertain  int                // attempts to create that failed and may have had an effect
	attempts   int                // attempts to create
	arrived    int                // of which reached the backend
	repeated   int                // of which followed an attempt that was answered 429
	secrets    map[string]bool
	checks     map[string]int // by invariant
	counts     map[string]int // of what happened
	violations []string
	lost       int // violations beyond those kept

	bodies atomic.Int64 // that are open
}

// minted is a token of a source.
type minted struct {
	token, id        string
	source           string
	created, expires time.Time
	refused          bool // a callee said that it is invalid, so that another may be minted
	doubtful         bool // revoked, or its key is gone: it may be refused, and may be accepted for a while
	jumped           bool // the clock jumped while it was being minted, so that the source may hold it for dead
}

// maxViolations bounds what is kept of a run that is broken altogether.
const maxViolations = 50

func newLedger() *ledger {
	return &ledger{
		tokens: make(map[string]*minted), latest: make(map[string]*minted), secrets: make(map[string]bool),
		checks: make(map[string]int), counts: make(map[string]int),
	}
}

// The invariants.
const (
	noWrongSignIn = "1a. nobody is signed in who should not be"
	noWrongDenial = "1b. no good caller is told 401 or 403"
	mintedOnce    = "2.  no token is created twice for one lifetime"
	noLongWait    = "3.  nobody waits longer than its context or the documented bound"
	recovers      = "4.  after the faults the first request within a renewal period succeeds"
	noLeak        = "5.  no goroutine, connection, body or secret leaks"
)

// check counts a check of an invariant, and keeps it when it failed.
func (l *ledger) check(invariant string, ok bool, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkLocked(invariant, ok, format, args...)
}

func (l *ledger) checkLocked(invariant string, ok bool, format string, args ...any) {
	l.checks[invariant]++
	switch {
	case ok:
	case len(l.violations) == maxViolations:
		l.lost++
	default:
		l.violations = append(l.violations, invariant+": "+fmt.Sprintf(format, args...))
	}
}

func (l *ledger) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
}

func (l *ledger) secret(values ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range values {
		l.secrets[v] = true
	}
}

func (l *ledger) allSecrets() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.secrets))
}

// earliestRenewal is the part of a lifetime after which a source may mint again: its renewal begins at 70 % of what is
// left of it after the margin of a tenth. One of the clocks may have been set back.
func earliestRenewal(lifetime time.Duration) time.Duration {
	return time.Duration(float64(lifetime)*0.9*wrapper.DefaultRenewFrom) - maxSetBack - time.Second
}

// mint books a token that reached a source.
func (l *ledger) mint(source, token, id string, created, expires time.Time, jumped bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delivered++
	l.secrets[token] = true
	before := l.latest[source]
	l.checkLocked(mintedOnce, l.tokens[token] == nil, "%s was given the same token twice", source)
	if before != nil && !before.refused && !before.doubtful && !before.jumped {
		age := created.Sub(before.created)
		l.checkLocked(mintedOnce, age >= earliestRenewal(before.expires.Sub(before.created)),
			"%s minted a token %s after the one before, which lives %s", source, age, before.expires.Sub(before.created))
	}
	t := &minted{token: token, id: id, source: source, created: created, expires: expires, jumped: jumped}
	l.tokens[token], l.latest[source] = t, t
}

// attempt books an attempt to create, as the wrapper's hook tells it.
func (l *ledger) attempt(a wrapper.Attempt) {
	if a.Operation != "createM2MToken" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts++
	l.checkLocked(mintedOnce, a.Retry == 0 || a.Status == http.StatusTooManyRequests, "a creation is repeated after status %d, %v", a.Status, a.Err)
	if a.Retry > 0 {
		l.repeated++
	}
}

// doubt marks tokens that became bad: those that match.
func (l *ledger) doubt(match func(t *minted) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tokens {
		if match(t) {
			t.doubtful = true
		}
	}
}

// current gives the newest token of a source.
func (l *ledger) current(source string) (minted, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.latest[source]; t != nil {
		return *t, true
	}
	return minted{}, false
}

// good tells whether a callee has no reason to refuse a token of a source.
func (l *ledger) good(token string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tokens[token]
	return t != nil && !t.doubtful && now.Before(t.expires.Add(-maxClockOff))
}

func (l *ledger) refuse(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tokens[token]; t != nil {
		t.refused = true
	}
}

// forget drops tokens that are long dead, so that a long run does not grow.
func (l *ledger) forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for token, t := range l.tokens {
		if now.Sub(t.expires) > time.Hour && l.latest[t.source] != t {
			delete(l.tokens, token)
		}
	}
}

// backendTransport is what a source's client sends through: it sees each token that is created and counts open bodies.
type backendTransport struct {
	base   http.RoundTripper
	ledger *ledger
	source string      // "" for a client that mints nothing
	calm   func() bool // whether no clock was moved since the source began to mint
}

func (t *backendTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	creates := t.source != "" && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/m2m_tokens")
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		if creates {
			t.ledger.mu.Lock()
			t.ledger.uncertain++
			t.ledger.mu.Unlock()
		}
		return nil, err
	}
	if !creates {
		resp.Body = t.ledger.watch(resp.Body)
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = t.ledger.watch(io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err})))
	if !t.delivered(resp, body, err) && resp.StatusCode != http.StatusTooManyRequests {
		t.ledger.mu.Lock()
		t.ledger.uncertain++
		t.ledger.mu.Unlock()
	}
	return resp, nil
}

// delivered books the token of a reply that proves a success.
func (t *backendTransport) delivered(resp *http.Response, body []byte, err error) bool {
	var reply struct {
		ID         string `json:"id"`
		Token      string `json:"token"`
		Created    int64  `json:"created_at"`
		Expiration int64  `json:"expiration"`
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode >= 300 || media != "application/json" || json.Unmarshal(body, &reply) != nil || reply.Token == "" {
		return false
	}
	t.ledger.mint(t.source, reply.Token, reply.ID, time.UnixMilli(reply.Created), time.UnixMilli(reply.Expiration), !t.calm())
	return true
}

func (t *backendTransport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// failing ends a body with the error that it ended with, nil being io.EOF.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// watch counts a body until it is closed.
func (l *ledger) watch(body io.ReadCloser) io.ReadCloser {
	l.bodies.Add(1)
	return &watched{ReadCloser: body, ledger: l}
}

type watched struct {
	io.ReadCloser
	ledger *ledger
	once   sync.Once
}

func (w *watched) Close() error {
	w.once.Do(func() { w.ledger.bodies.Add(-1) })
	return w.ReadCloser.Close()
}
