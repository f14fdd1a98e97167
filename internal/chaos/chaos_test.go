package main

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines sends what a run prints to the log of a test.
type lines struct{ t *testing.T }

func (l lines) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// The short form of the command: each kind of fault once where there is time.
func TestChaos(t *testing.T) {
	o := options{seed: uint64(time.Now().UnixNano()), duration: 15 * time.Second, workers: 8, out: lines{t}}
	if testing.Short() {
		o.duration = 3 * time.Second
	}
	t.Logf("seed %d", o.seed)
	r, err := run(o)
	if err != nil {
		t.Fatal(err)
	}
	r.print(lines{t})
	if len(r.violations) > 0 {
		t.Errorf("%d violations with the seed %d", len(r.violations), o.seed)
	}
	for _, invariant := range []string{noWrongSignIn, noWrongDenial, mintedOnce, noLongWait, recovers, noLeak} {
		if r.ledger.checks[invariant] == 0 {
			t.Errorf("never checked: %s", invariant)
		}
	}
}

// Each invariant is seen to break when the world is broken.
func TestViolationsAreFound(t *testing.T) {
	handler := func(status int, body string) func(w *world) {
		return func(w *world) {
			for _, c := range w.callees {
				c.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
					rw.WriteHeader(status)
					_, _ = rw.Write([]byte(body))
				})
			}
		}
	}
	for name, test := range map[string]struct {
		sabotage  func(w *world)
		invariant string
	}{
		"a service that lets everybody in": {handler(http.StatusOK, "m2m_token mch_x"), noWrongSignIn},
		"a service that lets nobody in":    {handler(http.StatusUnauthorized, ""), noWrongDenial},
		"a service that never recovers":    {handler(http.StatusServiceUnavailable, ""), recovers},
		"a caller that mints anew each time": {func(w *world) {
			for _, c := range w.callees {
				inner := c.server.Handler
				c.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					token, _ := w.ledger.current("opaque")
					w.ledger.mint("opaque", token.token+"x", "mt_x", token.created, token.expires, false)
					inner.ServeHTTP(rw, r)
				})
			}
		}, mintedOnce},
		"a token in the log": {func(w *world) {
			for _, c := range w.callees {
				inner := c.server.Handler
				c.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					w.log.Info("request", "headers", r.Header)
					inner.ServeHTTP(rw, r)
				})
			}
		}, noLeak},
		"a body that is not closed": {func(w *world) { w.ledger.bodies.Add(1) }, noLeak},
		"a service that hangs": {func(w *world) {
			w.bounded(time.Millisecond, "a call", func() { time.Sleep(slack + 10*time.Millisecond) })
		}, noLongWait},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("takes seconds")
			}
			t.Parallel()
			broken := make(map[string]bool)
			r, err := run(options{seed: 1, duration: time.Millisecond, workers: 2, out: lines{t}, sabotage: test.sabotage, patience: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range r.violations {
				broken[v[:2]] = true
			}
			if !broken[test.invariant[:2]] {
				t.Errorf("not found to break %q: %v", test.invariant, r.violations)
			}
		})
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	one, same, other := newSchedule(7), newSchedule(7), newSchedule(8)
	seen, differs := make(map[kind]bool), false
	for range 3 * len(kinds) {
		a, b := one.next(), same.next()
		if a != b {
			t.Fatalf("the same seed gives %v and %v", a, b)
		}
		differs = differs || other.next() != a
		if a.number <= len(kinds) {
			seen[a.kind] = true
		}
	}
	if len(seen) != len(kinds) || !differs {
		t.Errorf("the first round has %d of %d kinds; another seed differs: %t", len(seen), len(kinds), differs)
	}
}

// The search of the log finds a credential wherever it stands, and takes no id for one.
func TestCapture(t *testing.T) {
	t.Parallel()
	jwt := "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"mch_1234567890"}`)) + ".c2lnbmF0dXJlLW9mLWEtdG9rZW4"
	for _, test := range []struct {
		name, line string
		secrets    []string
		found      bool
	}{
		{"nothing", "msg=call operation=createM2MToken trace_id=0123456789abcdef0123456789abcdef", []string{jwt}, false},
		{"an id", "token=mt_0123456789abcdef0123456789abcdef", nil, false},
		{"a known secret", `error="refused: hunter2hunter2hunter2"`, []string{"hunter2hunter2hunter2"}, true},
		{"in a header", `headers="map[Authorization:[Bearer ` + jwt + `]]"`, []string{jwt}, true},
		{"a signature alone", "sig=c2lnbmF0dXJlLW9mLWEtdG9rZW4", []string{jwt}, true},
		{"a token nobody knows", "token=mt_" + strings.Repeat("Zx", 16), nil, true},
		{"a secret key nobody knows", "key=ak_" + strings.Repeat("Zx", 21), nil, true},
		{"a JWT nobody knows", "t=" + jwt, nil, true},
	} {
		c := newCapture()
		_, _ = c.Write([]byte(test.line))
		if found := c.find(test.secrets); (len(found) > 0) != test.found {
			t.Errorf("%s: found %v", test.name, found)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	g := good{name: "x", callee: &callee{}, who: "m2m_token mch_a"}
	for _, test := range []struct {
		a         answer
		calm      bool
		violation bool
	}{
		{answer{status: 200, who: g.who}, true, false},
		{answer{status: 200, who: "m2m_token mch_b"}, false, true},
		{answer{status: 401}, true, true},
		{answer{status: 401}, false, false},
		{answer{status: 403}, true, true},
		{answer{status: 500}, false, true},
		{answer{status: 503}, true, false},
		{answer{}, true, false},
	} {
		if _, v := judgeGood(g, test.a, test.calm); (v != "") != test.violation {
			t.Errorf("%+v, calm %t: %q", test.a, test.calm, v)
		}
	}
	for status, violation := range map[int]bool{0: false, 200: true, 204: true, 401: false, 403: false, 500: true, 503: false} {
		if v := judgeBad(answer{status: status}); (v != "") != violation {
			t.Errorf("%d for a bad token: %q", status, v)
		}
	}
}
