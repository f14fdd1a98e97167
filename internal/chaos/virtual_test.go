package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// What is at its full length: the timeouts that the module has by default, and outages of minutes, in virtual time. There
// is no network in it; a handler is called directly.
func TestVirtualTime(t *testing.T) {
	for _, test := range []virtual{
		// The source's token lives an hour and outlives all of them but the last; the opaque ones are asked about.
		{name: "10 s latency", fault: m2mtest.Fault{Latency: 10 * time.Second}, lasts: 5 * time.Minute, lifetime: time.Hour},
		{name: "5xx for 5 minutes", fault: m2mtest.Fault{Status: 503}, lasts: 5 * time.Minute, lifetime: time.Hour},
		{name: "5xx for 5 minutes, and the token dies", fault: m2mtest.Fault{Status: 500}, lasts: 5 * time.Minute, lifetime: time.Minute, dies: true},
		{name: "429 for 5 minutes", fault: m2mtest.Fault{Status: 429, RetryAfter: 10 * time.Second}, lasts: 5 * time.Minute, lifetime: time.Minute, dies: true},
		{name: "resets for 5 minutes", fault: m2mtest.Fault{Reset: true}, lasts: 5 * time.Minute, lifetime: time.Minute, dies: true},
		{name: "no DNS for 5 minutes", dns: true, lasts: 5 * time.Minute, lifetime: time.Minute, dies: true},
		{name: "never an answer for 5 minutes", fault: m2mtest.Fault{Latency: 24 * time.Hour}, lasts: 5 * time.Minute, lifetime: time.Minute, dies: true},
		{name: "5xx for 50 minutes: the keys outlive it", fault: m2mtest.Fault{Status: 502}, lasts: 50 * time.Minute, lifetime: 2 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) { synctest.Test(t, test.run) })
	}
}

type virtual struct {
	name     string
	fault    m2mtest.Fault
	dns      bool // names do not resolve
	lasts    time.Duration
	lifetime time.Duration // of the source's tokens
	dies     bool          // whether the source runs out of tokens
}

// The longest that a call may take with the defaults, and a little for what is around it.
const (
	virtualCall = (wrapper.DefaultMaxRetries+1)*wrapper.DefaultAttemptTimeout + wrapper.DefaultMaxRetries*(10*time.Second+10*time.Second/8)
	virtualRest = time.Second
)

func (v virtual) run(t *testing.T) {
	clerk, err := m2mtest.New(m2mtest.WithSeed(5))
	if err != nil {
		t.Fatal(err)
	}
	defer clerk.Close()
	var noDNS atomic.Bool
	backend := &http.Client{Transport: inMemory{handler: clerk, noDNS: &noDNS}}
	quiet := slog.New(slog.DiscardHandler)
	base := []wrapper.Option{
		wrapper.WithoutEnv(), wrapper.WithBaseURL("https://api.clerk.example"), wrapper.WithHTTPClient(backend), wrapper.WithLogger(quiet),
	}
	billing := clerk.AddMachine("billing")
	orders := clerk.AddMachine("orders", billing.ID)
	caller, err := wrapper.New(append(base, wrapper.WithMachineSecretKey(string(orders.SecretKey)))...)
	if err != nil {
		t.Fatal(err)
	}
	callee, err := wrapper.New(append(base, wrapper.WithMachineSecretKey(string(billing.SecretKey)), wrapper.WithSecretKey(clerk.SecretKey()))...)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := authn.New(callee, authn.WithLogger(quiet), authn.WithAllowedMachines(orders.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	format, lifetime := generated.TokenFormatJWT, int64(v.lifetime/time.Second)
	source := caller.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{TokenFormat: &format, SecondsUntilExpiration: &lifetime})
	defer source.Close()
	handler := auth.Require(authn.M2MToken, authn.APIKey)(http.HandlerFunc(whoami))
	service := &http.Client{Transport: source.Transport(inMemory{handler: handler})}

	jwt := func() (int, error) { return ask(service, "https://billing.example", "") }
	key := string(clerk.MintAPIKey(clerk.UserID()).Secret)
	opaque := func() (int, error) {
		return ask(&http.Client{Transport: inMemory{handler: handler}}, "https://billing.example", key)
	}
	for _, call := range []func() (int, error){jwt, opaque} {
		if status, err := call(); status != http.StatusOK {
			t.Fatalf("before the fault: %d, %v", status, err)
		}
	}

	begun := time.Now()
	if v.dns {
		noDNS.Store(true)
	} else {
		clerk.Faults(v.fault)
	}
	served, failed, mints := 0, 0, clerk.Cost().M2MTokensCreated
	for time.Since(begun) < v.lasts {
		start := time.Now()
		status, err := jwt()
		took := time.Since(start)
		switch {
		case status == http.StatusOK:
			served++
			if took > virtualRest { // a live token and old keys serve at once
				t.Errorf("after %s of the fault a request with a live token took %s", start.Sub(begun), took)
			}
		case status == http.StatusServiceUnavailable, errors.As(err, new(*wrapper.TokenError)):
			failed++
		default:
			t.Errorf("after %s of the fault: %d, %v", start.Sub(begun), status, err)
		}
		if took > virtualCall+virtualRest {
			t.Errorf("a request took %s, and may take %s", took, virtualCall)
		}
		start = time.Now()
		if status, err := opaque(); status != http.StatusServiceUnavailable {
			t.Errorf("an API key that cannot be verified: %d, %v", status, err)
		}
		if took := time.Since(start); took > virtualCall+virtualRest {
			t.Errorf("verifying took %s, and may take %s", took, virtualCall)
		}
		time.Sleep(time.Second)
	}
	if dies := failed > 0; dies != v.dies || served == 0 {
		t.Errorf("%d requests were served during the fault and %d were not", served, failed)
	}
	// Faults that lose an answer may have had tokens created, none faster than the source's pauses and timeouts allow.
	if most := 2 + int(v.lasts/wrapper.DefaultAttemptTimeout); clerk.Cost().M2MTokensCreated-mints > most {
		t.Errorf("%d tokens were created during the fault", clerk.Cost().M2MTokensCreated-mints)
	}

	clerk.ClearFaults()
	noDNS.Store(false)
	over := time.Now()
	time.Sleep(46 * time.Second) // at least a renewal period of the short-lived tokens, and less of the others
	for _, call := range []func() (int, error){jwt, opaque} {
		start := time.Now()
		if status, err := call(); status != http.StatusOK || time.Since(start) > virtualRest {
			t.Errorf("%s after the fault: %d, %v in %s", start.Sub(over), status, err, time.Since(start))
		}
	}
	t.Logf("%d requests served with a live token, %d not, in %s", served, failed, time.Since(begun))
}

func ask(client *http.Client, url, token string) (int, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// inMemory sends requests to a handler. A connection that the handler aborts is reset.
type inMemory struct {
	handler http.Handler
	noDNS   *atomic.Bool // nil: names always resolve
}

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.noDNS != nil && m.noDNS.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "server misbehaving", Name: r.URL.Hostname(), IsTemporary: true}}
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	recorder, aborted := httptest.NewRecorder(), make(chan bool, 1)
	go func() {
		defer func() { aborted <- recover() != nil }()
		m.handler.ServeHTTP(recorder, in)
	}()
	select {
	case <-r.Context().Done():
		<-aborted // the handler ends with its context
		return nil, r.Context().Err()
	case gone := <-aborted:
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		if gone {
			return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		}
	}
	resp := recorder.Result()
	resp.Request = r
	resp.Body = io.NopCloser(bytes.NewReader(recorder.Body.Bytes()))
	return resp, nil
}
