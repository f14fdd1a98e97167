package main

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
	"go.uber.org/goleak"
)

// soakTime is how long the soak lasts.
const soakTime = 10 * time.Second

// A server under 200 concurrent clients with tokens of all kinds, while three in ten of its calls to Clerk fail: nobody
// is signed in wrongly, no good token is refused, and nothing is left running.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	before := goleak.IgnoreCurrent()
	s := newSoak(t)
	ctx, stop := context.WithTimeout(context.Background(), soakTime)
	defer stop()
	var clients sync.WaitGroup
	for i := range 200 {
		clients.Go(func() { s.client(ctx, rand.New(rand.NewPCG(1, uint64(i)))) })
	}
	clients.Wait()
	struck, calls := 0, s.clerk.Calls()
	for _, c := range calls {
		if c.Fault {
			struck++
		}
	}
	s.close()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	for status, n := range s.good {
		t.Logf("%6d good tokens: %s", n, http.StatusText(status))
	}
	for status, n := range s.bad {
		t.Logf("%6d bad tokens: %s", n, http.StatusText(status))
	}
	share := float64(struck) / float64(max(1, len(calls)))
	t.Logf("%d calls to Clerk, of which %.0f %% failed", len(calls), 100*share)
	if s.good[http.StatusOK] == 0 || s.bad[http.StatusUnauthorized] == 0 || len(calls) < 100 || share < 0.2 || share > 0.4 {
		t.Error("the soak did not do what it says")
	}
}

type soak struct {
	t        *testing.T
	clerk    *m2mtest.Server
	auth     *authn.Authenticator
	server   *http.Server
	done     chan struct{}
	url      string
	upstream *http.Transport
	clients  *http.Transport
	tokens   []soakToken

	mu        sync.Mutex
	good, bad map[int]int // by status
}

type soakToken struct {
	name, value string
	who         string // "" for a bad one
}

func newSoak(t *testing.T) *soak {
	clerk, err := m2mtest.New(m2mtest.WithSeed(3))
	if err != nil {
		t.Fatal(err)
	}
	if err := clerk.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s := &soak{
		t: t, clerk: clerk, good: make(map[int]int), bad: make(map[int]int), done: make(chan struct{}),
		upstream: &http.Transport{MaxIdleConnsPerHost: 64}, clients: &http.Transport{MaxIdleConnsPerHost: 256},
	}
	orders := clerk.AddMachine("orders", clerk.Machine().ID)
	stranger := clerk.AddMachine("stranger")
	s.mint(orders.ID, stranger.ID)
	quiet := slog.New(slog.DiscardHandler)
	client := clerk.Client(wrapper.WithHTTPClient(&http.Client{Transport: s.upstream}), wrapper.WithLogger(quiet))
	if s.auth, err = authn.New(client, authn.WithLogger(quiet), authn.WithAllowedMachines(orders.ID), authn.WithIssuer(clerk.Issuer())); err != nil {
		t.Fatal(err)
	}
	clerk.Faults(
		m2mtest.Fault{Probability: 0.075, Status: http.StatusInternalServerError},
		m2mtest.Fault{Probability: 0.081, Status: http.StatusTooManyRequests, RetryAfter: time.Second},
		m2mtest.Fault{Probability: 0.088, Reset: true},
		m2mtest.Fault{Probability: 0.097, Latency: 2 * time.Second}, // three in ten altogether, a quarter of them each
	)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s.auth.Require(authn.AnyToken()...)(http.HandlerFunc(whoami)), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener)
	}()
	return s
}

// mint makes tokens of every kind, many of each: requests for the same one at the same time share a call.
func (s *soak) mint(orders, stranger string) {
	c, user := s.clerk, s.clerk.UserID()
	add := func(who, name, value string) { s.tokens = append(s.tokens, soakToken{name, value, who}) }
	hour, past, revoked := m2mtest.ExpiresIn(time.Hour), m2mtest.ExpiresIn(-time.Minute), m2mtest.Revoked("leaked")
	for range 16 {
		add("m2m_token "+orders, "M2M token", string(c.MintM2M(orders).Token))
		add("m2m_token "+orders, "M2M JWT", c.MintJWT(orders))
		add("api_key "+user, "API key", string(c.MintAPIKey(user).Secret))
		add("oauth_token "+user, "OAuth token", string(c.MintOAuth(user).Token))
		add("oauth_token "+user, "OAuth JWT", c.MintOAuthJWT(user))
		add("session_token "+user, "session token", c.MintSession(user, hour))

		add("", "M2M token, revoked", string(c.MintM2M(orders, revoked).Token))
		add("", "M2M token, expired", string(c.MintM2M(orders, past).Token))
		add("", "M2M token of a stranger", string(c.MintM2M(stranger).Token))
		add("", "M2M JWT of a stranger", c.MintJWT(stranger))
		add("", "M2M JWT, tampered with", tamper(c.MintJWT(orders), 1))
		add("", "M2M JWT, alg none", c.MintJWT(orders, m2mtest.Algorithm("none")))
		add("", "M2M JWT, HS256", c.MintJWT(orders, m2mtest.Algorithm("HS256")))
		add("", "M2M JWT of a key nobody has", c.MintJWT(orders, m2mtest.ForeignKey(), m2mtest.Header("kid", "ins_x")))
		add("", "API key, revoked", string(c.MintAPIKey(user, revoked).Secret))
		add("", "API key, expired", string(c.MintAPIKey(user, past).Secret))
		add("", "OAuth token, revoked", string(c.MintOAuth(user, revoked).Token))
		add("", "OAuth JWT, expired", c.MintOAuthJWT(user, past))
		add("", "session token, tampered with", tamper(c.MintSession(user, hour), 2))
		add("", "session token of a stranger's key", c.MintSession(user, hour, m2mtest.ForeignKey()))
		add("", "a secret key", c.SecretKey())
		add("", "nothing", "")
	}
}

func (s *soak) client(ctx context.Context, random *rand.Rand) {
	client := &http.Client{Transport: s.clients}
	for ctx.Err() == nil {
		token := s.tokens[random.IntN(len(s.tokens))]
		s.ask(client, token)
		time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
	}
}

func (s *soak) ask(client *http.Client, token soakToken) {
	r, err := http.NewRequest(http.MethodGet, s.url, http.NoBody)
	if err != nil {
		s.t.Error(err)
		return
	}
	if token.value != "" {
		r.Header.Set("Authorization", "Bearer "+token.value)
	}
	resp, err := client.Do(r)
	if err != nil {
		s.t.Error(err) // the service itself never breaks
		return
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if token.who == "" {
		s.bad[resp.StatusCode]++
		if judgeBad(answer{status: resp.StatusCode}) != "" {
			s.t.Errorf("%s: told %d %s", token.name, resp.StatusCode, body)
		}
		return
	}
	s.good[resp.StatusCode]++
	if _, wrong := judgeGood(good{who: token.who}, answer{status: resp.StatusCode, who: string(body)}, true); wrong != "" {
		s.t.Errorf("%s: %s: %s", token.name, wrong, resp.Header.Get("X-Clerk-Auth-Reason"))
	}
}

func (s *soak) close() {
	_ = s.server.Close()
	<-s.done
	_ = s.auth.Close()
	s.upstream.CloseIdleConnections()
	s.clients.CloseIdleConnections()
	_ = s.clerk.Close()
}
