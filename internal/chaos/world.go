package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// Times are scaled down: where the module waits 5 s for an attempt, this waits 0.3 s, and faults of 10 s last 0.6 s.
// What cannot be configured (pauses after failures, the ages of key sets) keeps its length and passes by the clock,
// which is moved.
const (
	attemptTimeout = 300 * time.Millisecond
	maxRetries     = 2
	tokenLifetime  = 60 * time.Second
	renewalPeriod  = 46 * time.Second // at least 85 % of 90 % of the lifetime
	maxClockOff    = 1500 * time.Millisecond
	maxSetBack     = 2 * time.Second
	maxRetryAfter  = 2 * time.Second

	// callBound is how long a call may take without a deadline: its attempts and the waits between them, of which
	// Retry-After and its jitter are the longest.
	callBound = (maxRetries+1)*attemptTimeout + maxRetries*(maxRetryAfter+maxRetryAfter/8)
	// keysBound is how long a request waits for a key set: authn ends a fetch after that.
	keysBound = 15 * time.Second
)

// world is a deployment: Clerk, the network before it, three services that are called in different configurations,
// and a service that calls them.
type world struct {
	clerk  *m2mtest.Server
	proxy  *proxy
	ledger *ledger
	log    *slog.Logger
	logged *capture
	stalls stalls

	dnsFails   atomic.Bool
	calleeOff  atomic.Int64 // by how much the callees' clock is off
	callerOff  atomic.Int64 // by how much the caller's clock is late; minutes, from the start
	disruption atomic.Int64 // odd while something happens that may make a good token bad; grows with each

	orders, stranger, billing m2mtest.Machine
	ordersKey, billingKey     atomic.Pointer[string] // what the services believe their secret to be
	user                      string

	patience time.Duration   // with a recovery
	admin    *wrapper.Client // does not pass the proxy
	direct   *http.Transport
	dialing  []*http.Transport // through the proxy
	services *http.Transport   // between the services
	sources  []*source
	callees  []*callee
}

// source is a token source of the calling service.
type source struct {
	name   string
	tokens *wrapper.TokenSource
}

// callee is a service that is called.
type callee struct {
	name   string
	url    string
	any    bool // whether it takes all types of tokens
	auth   *authn.Authenticator
	accept []authn.TokenType
	server *http.Server
	done   chan struct{}
}

func newWorld(seed uint64) (w *world, err error) {
	w = &world{ledger: newLedger(), logged: newCapture()}
	w.callerOff.Store(int64(seed%10) * int64(time.Minute))
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	w.log = w.logged.logger()
	w.clerk, err = m2mtest.New(m2mtest.WithSeed(seed), m2mtest.WithCallHook(func(c m2mtest.Call) {
		w.log.Debug("backend", "call", c.String())
		if c.Operation == "createM2MToken" {
			w.ledger.mu.Lock()
			w.ledger.arrived++
			w.ledger.mu.Unlock()
		}
	}))
	if err != nil {
		return w, err
	}
	if err := w.clerk.Start("127.0.0.1:0"); err != nil {
		return w, err
	}
	if w.proxy, err = newProxy(strings.TrimPrefix(w.clerk.URL(), "http://")); err != nil {
		return w, err
	}
	w.billing = w.clerk.AddMachine("billing")
	w.orders = w.clerk.AddMachine("orders", w.billing.ID)
	w.stranger = w.clerk.AddMachine("stranger")
	w.setKey(&w.ordersKey, string(w.orders.SecretKey))
	w.setKey(&w.billingKey, string(w.billing.SecretKey))
	w.ledger.secret(w.clerk.SecretKey(), string(w.stranger.SecretKey), string(w.clerk.Machine().SecretKey))
	w.user = w.clerk.UserID()

	w.direct = &http.Transport{}
	w.services = &http.Transport{MaxIdleConnsPerHost: 64}
	w.admin = w.clerk.Client(wrapper.WithHTTPClient(&http.Client{Transport: w.direct}), wrapper.WithLogger(w.log))
	for _, s := range []struct {
		name   string
		format generated.TokenFormat
	}{{"opaque", generated.TokenFormatOpaque}, {"JWT", generated.TokenFormatJWT}} {
		if err := w.addSource(s.name, s.format); err != nil {
			return w, err
		}
	}
	return w, w.addCallees()
}

func (w *world) setKey(key *atomic.Pointer[string], value string) {
	w.ledger.secret(value)
	key.Store(&value)
}

// now is the callees' time.
func (w *world) now() time.Time { return w.clerk.Now().Add(time.Duration(w.calleeOff.Load())) }

// callerNow is the caller's time.
func (w *world) callerNow() time.Time { return w.clerk.Now().Add(-time.Duration(w.callerOff.Load())) }

// dialer gives a transport whose names resolve to the proxy, or do not.
func (w *world) dialer() *http.Transport {
	t := &http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if w.dnsFails.Load() {
				host, _, _ := net.SplitHostPort(address)
				return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{
					Err: "server misbehaving", Name: host, Server: "192.0.2.53:53", IsTemporary: true,
				}}
			}
			var d net.Dialer
			return d.DialContext(ctx, "tcp", w.proxy.address())
		},
	}
	w.dialing = append(w.dialing, t)
	return t
}

func (w *world) client(source string, calm func() bool, opts ...wrapper.Option) (*wrapper.Client, error) {
	return wrapper.New(append([]wrapper.Option{
		wrapper.WithoutEnv(),
		wrapper.WithBaseURL(w.clerk.URL()),
		wrapper.WithHTTPClient(&http.Client{Transport: &backendTransport{base: w.dialer(), ledger: w.ledger, source: source, calm: calm}}),
		wrapper.WithAttemptTimeout(attemptTimeout),
		wrapper.WithMaxRetries(maxRetries),
		wrapper.WithLogger(w.log),
		wrapper.WithAttemptHook(func(_ context.Context, a wrapper.Attempt) { w.ledger.attempt(a) }),
	}, opts...)...)
}

// present sends a machine's secret as the service knows it at the moment, with the operations that take one.
func present(key *atomic.Pointer[string]) wrapper.RequestEditor {
	return func(ctx context.Context, r *http.Request) error {
		if !strings.Contains(r.URL.Path, "/m2m_tokens") {
			return nil
		}
		return wrapper.MachineSecretKey(*key.Load())(ctx, r)
	}
}

func (w *world) addSource(name string, format generated.TokenFormat) error {
	var began atomic.Int64
	client, err := w.client(name, func() bool { return w.calm(began.Load()) })
	if err != nil {
		return err
	}
	lifetime := int64(tokenLifetime / time.Second)
	w.sources = append(w.sources, &source{name: name, tokens: client.M2MTokens.TokenSource(
		wrapper.CreateM2MTokenParams{SecondsUntilExpiration: &lifetime, TokenFormat: &format},
		wrapper.WithMintEditor(present(&w.ordersKey), func(context.Context, *http.Request) error {
			began.Store(w.disruption.Load()) // a source mints one token at a time
			return nil
		}),
		wrapper.WithTokenClock(w.callerNow),
	)})
	return nil
}

func (w *world) addCallees() error {
	common := []authn.Option{
		authn.WithClock(w.now), authn.WithLogger(w.log), authn.WithIssuer(w.clerk.Issuer()),
		authn.WithHTTPClient(&http.Client{Transport: &backendTransport{base: w.dialer(), ledger: w.ledger}}),
	}
	machine := []wrapper.Option{
		wrapper.WithMachineSecretKey(*w.billingKey.Load()), wrapper.WithRequestEditor(present(&w.billingKey)),
	}
	for _, c := range []struct {
		name   string
		any    bool
		client []wrapper.Option
		auth   []authn.Option
		accept []authn.TokenType
	}{
		// As a service should be: its machine secret, and the public key set.
		{"machine", false, machine, []authn.Option{authn.WithPublishableKey(w.clerk.PublishableKey()), authn.WithMachineID(w.billing.ID)}, []authn.TokenType{authn.M2MToken}},
		// Clerk decides about every token.
		{"network", false, machine, []authn.Option{authn.WithNetworkVerification()}, []authn.TokenType{authn.M2MToken}},
		// All types, with both secrets.
		{"any", true, append(machine, wrapper.WithSecretKey(w.clerk.SecretKey())), []authn.Option{authn.WithAllowedMachines(w.orders.ID)}, authn.AnyToken()},
	} {
		client, err := w.client("", nil, c.client...)
		if err != nil {
			return err
		}
		auth, err := authn.New(client, append(common, c.auth...)...)
		if err != nil {
			return err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		one := &callee{
			name: c.name, url: "http://" + listener.Addr().String(), any: c.any, auth: auth, accept: c.accept,
			server: &http.Server{
				Handler:           auth.Require(c.accept...)(http.HandlerFunc(whoami)),
				ReadHeaderTimeout: 10 * time.Second,
				ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelError),
			},
			done: make(chan struct{}),
		}
		go func() {
			defer close(one.done)
			_ = one.server.Serve(listener) // until close
		}()
		w.callees = append(w.callees, one)
	}
	return nil
}

// whoami answers with who is signed in.
func whoami(rw http.ResponseWriter, r *http.Request) {
	state, _ := authn.FromContext(r.Context())
	_, _ = fmt.Fprintf(rw, "%s %s", state.TokenType, subject(state.Auth))
}

func subject(auth authn.Auth) string {
	switch a := auth.(type) {
	case *authn.M2MAuth:
		return a.Subject
	case *authn.APIKeyAuth:
		return a.Subject
	case *authn.OAuthAuth:
		return a.Subject
	case *authn.SessionAuth:
		return a.UserID
	}
	return ""
}

// disrupt does what may make good tokens bad: requests that overlap with it may be refused.
func (w *world) disrupt(f func()) {
	w.disruption.Add(1)
	f()
	w.disruption.Add(1)
}

// calm tells whether nothing was disrupted since a moment that before describes.
func (w *world) calm(before int64) bool { return before%2 == 0 && w.disruption.Load() == before }

// close ends everything. It gives how many connections to the backend there are though nobody needs one any more.
func (w *world) close() (connections int) {
	for _, s := range w.sources {
		_ = s.tokens.Close()
	}
	for _, c := range w.callees {
		_ = c.server.Close()
		<-c.done
		_ = c.auth.Close()
	}
	for _, t := range append(w.dialing, w.direct, w.services) {
		if t != nil {
			t.CloseIdleConnections()
		}
	}
	if w.proxy != nil {
		for end := time.Now().Add(5 * time.Second); w.proxy.open() > 0 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond) // until it has noticed
		}
		connections = w.proxy.open()
		w.proxy.close()
	}
	if w.clerk != nil {
		_ = w.clerk.Close()
	}
	return connections
}
