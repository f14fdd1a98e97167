package wrapper_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// callee is a service that keeps what it was sent and refuses the tokens that are in refuse.
type callee struct {
	*httptest.Server
	challenge string

	mu     sync.Mutex
	tokens []string
	bodies []string
	refuse map[string]bool
}

func newCallee(t *testing.T, refuse ...string) *callee {
	t.Helper()
	c := &callee{challenge: `Bearer realm="b", error="invalid_token"`, refuse: map[string]bool{}}
	for _, token := range refuse {
		c.refuse["Bearer "+token] = true
	}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		if got := r.Header.Values("Authorization"); len(got) > 1 {
			t.Errorf("%d Authorization headers", len(got))
		}
		token := r.Header.Get("Authorization")
		c.tokens, c.bodies = append(c.tokens, token), append(c.bodies, string(body))
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		if c.refuse[token] {
			w.Header().Set("WWW-Authenticate", c.challenge)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, strings.Repeat("no ", 1000))
		}
	}))
	t.Cleanup(func() { c.Close() })
	return c
}

// got gives the tokens of the requests so far, without their scheme.
func (c *callee) got() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.ReplaceAll(strings.Join(c.tokens, ","), "Bearer ", "")
}

func (c *callee) start() *callee {
	c.Start()
	return c
}

// body is a request body that tells whether it was closed, and can be replayed only if the test says how.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error {
	b.closed = true
	return nil
}

func TestTransport(t *testing.T) {
	t.Parallel()
	const first, second = "mt_secret1", "mt_secret2"
	for _, tt := range []transportTest{
		{name: "gives the token", want: first, status: 200, minted: 1},
		{name: "has a refused token replaced, and sends once more", refuse: []string{first}, body: strings.NewReader("hello"), want: first + "," + second, status: 200, minted: 2},
		{name: "sends once more without a body", refuse: []string{first}, want: first + "," + second, status: 200, minted: 2},
		{name: "sends once more only once", refuse: []string{first, second}, want: first + "," + second, status: 401, minted: 2},
		{name: "does not send a stream twice", refuse: []string{first}, body: &body{Reader: strings.NewReader("hello")}, want: first, status: 401, minted: 1},
		{name: "minds only the challenge invalid_token", refuse: []string{first}, challenge: `Bearer error="insufficient_scope"`, want: first, status: 401, minted: 1},
		{name: "minds no bare challenge", refuse: []string{first}, challenge: `Bearer`, want: first, status: 401, minted: 1},
		{name: "minds no challenge of another scheme", refuse: []string{first}, challenge: `DPoP error="invalid_token"`, want: first, status: 401, minted: 1},
		{name: "keeps the caller's own header", header: "Bearer own", want: "own", status: 200},
		{name: "gives no token to a host that is not listed", hosts: []string{"billing.internal"}, want: "", status: 200},
		{name: "gives the token to a host that is listed", hosts: []string{"billing.internal", "127.0.0.1"}, want: first, status: 200, minted: 1},
	} {
		t.Run(tt.name, tt.run)
	}
}

type transportTest struct {
	name      string
	refuse    []string
	challenge string
	body      io.Reader
	header    string
	hosts     []string
	want      string
	status    int
	minted    int64
}

func (tt transportTest) run(t *testing.T) {
	t.Parallel()
	c := newCallee(t, tt.refuse...)
	if tt.challenge != "" {
		c.challenge = tt.challenge
	}
	c.start()
	m := &minter{lifetime: time.Hour}
	client := &http.Client{Transport: m.source(t, wrapper.WithHosts(tt.hosts...)).Transport(nil)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL, tt.body)
	if err != nil {
		t.Fatal(err)
	}
	if tt.header != "" {
		req.Header.Set("Authorization", tt.header)
	}
	before := req.Header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := c.got(); resp.StatusCode != tt.status || got != tt.want || m.minted.Load() != tt.minted {
		t.Errorf("status %d, tokens %q, %d minted; want %d, %q, %d", resp.StatusCode, got, m.minted.Load(), tt.status, tt.want, tt.minted)
	}
	if fmt.Sprint(before) != fmt.Sprint(req.Header) {
		t.Errorf("the caller's request was changed: %v", req.Header)
	}
	if _, replayable := tt.body.(*strings.Reader); replayable {
		for _, got := range c.bodies {
			if got != "hello" {
				t.Errorf("the body arrived as %q", got)
			}
		}
	}
}

// A callee that refuses every token must not have one minted for each request.
func TestTransportDoesNotMintForEachRefusal(t *testing.T) {
	t.Parallel()
	c := newCallee(t, "mt_secret1", "mt_secret2").start()
	m := &minter{lifetime: time.Hour}
	client := &http.Client{Transport: m.source(t).Transport(nil)}
	for range 20 {
		resp, err := client.Get(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if m.minted.Load() != 2 {
		t.Errorf("%d tokens were minted", m.minted.Load())
	}
}

// A token that a callee took and later refuses was revoked: however young, it is replaced.
func TestTransportReplacesTokensThatWereTaken(t *testing.T) {
	t.Parallel()
	c := newCallee(t).start()
	m := &minter{lifetime: time.Hour}
	client := &http.Client{Transport: m.source(t).Transport(nil)}
	for n := 1; n <= 4; n++ {
		for range 2 {
			resp, err := client.Get(c.URL)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("after %d revocations: status %d", n-1, resp.StatusCode)
			}
		}
		c.mu.Lock()
		c.refuse[fmt.Sprintf("Bearer mt_secret%d", n)] = true
		c.mu.Unlock()
	}
	// A callee that takes every token once, such as one of two replicas that has the wrong keys, meets a bound.
	for range 20 {
		resp, err := client.Get(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if m.minted.Load() != 4 {
		t.Errorf("%d tokens were minted", m.minted.Load())
	}
}

// A refusal that comes late, of a token that has its successor, does not end that one.
func TestTransportLateRefusal(t *testing.T) {
	t.Parallel()
	m := &minter{lifetime: time.Hour}
	s := m.source(t)
	var slow sync.WaitGroup
	slow.Add(1)
	tokens := make(chan string, 8)
	client := &http.Client{Transport: s.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
		token := req.Header.Get("Authorization")
		tokens <- token
		if token != "Bearer mt_secret1" {
			return reply(http.StatusOK, nil, ""), nil
		}
		if req.URL.Path == "/slow" {
			slow.Wait()
		}
		return reply(http.StatusUnauthorized, http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}, ""), nil
	}))}
	get := func(path string) {
		resp, err := client.Get("https://billing.internal" + path)
		if err != nil {
			t.Error(err)
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { get("/slow") })
	<-tokens // it is on its way with the first token
	get("/fast")
	slow.Done()
	wg.Wait()
	if m.minted.Load() != 2 {
		t.Errorf("%d tokens were minted", m.minted.Load())
	}
	want(t, s, "mt_secret2")
}

// A stream is sent as it is written: nothing waits for its end.
func TestTransportStreams(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		c := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
				t.Error(err)
			}
			one := make([]byte, 1)
			for {
				if _, err := io.ReadFull(r.Body, one); err != nil {
					return
				}
				_, _ = w.Write(one)
				w.(http.Flusher).Flush()
			}
		}))
		c.EnableHTTP2 = http2
		c.StartTLS()
		defer c.Close()
		m := &minter{lifetime: time.Hour}
		client := &http.Client{Transport: m.source(t).Transport(c.Client().Transport)}
		defer client.CloseIdleConnections()
		in, out := io.Pipe()
		go func() { _, _ = out.Write([]byte("a")) }()
		resp, err := client.Post(c.URL, "text/plain", in)
		if err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 1)
		for _, letter := range "abc" {
			if letter != 'a' {
				_, _ = out.Write([]byte(string(letter)))
			}
			if _, err := io.ReadFull(resp.Body, one); err != nil || one[0] != byte(letter) {
				t.Fatalf("http2 %t: %q, %v", http2, one, err)
			}
		}
		_ = out.Close()
		_ = resp.Body.Close()
	}
}

func TestTransportAndRedirects(t *testing.T) {
	t.Parallel()
	first, other := newCallee(t).start(), newCallee(t).start() // another port is another host
	m := &minter{lifetime: time.Hour}
	client := &http.Client{Transport: m.source(t).Transport(nil)}
	get := func(url string) {
		t.Helper()
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	get(first.URL + "?to=" + other.URL)
	if got := first.got() + "|" + other.got(); got != "mt_secret1|" {
		t.Errorf("a redirect to another host took the token along: %q", got)
	}
	get(first.URL + "?to=/here")
	if got := first.got(); got != "mt_secret1,mt_secret1,mt_secret1" {
		t.Errorf("a redirect on the same host went without the token: %q", got)
	}
	// A base that does not say which request a response answers must not make the redirected one look like the first.
	mute := &http.Client{Transport: m.source(t).Transport(muteTransport{})}
	resp, err := mute.Get(first.URL + "?to=" + strings.Replace(other.URL, "127.0.0.1", "localhost", 1))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := other.got(); strings.Contains(got, "mt_") {
		t.Errorf("the redirected request took the token along: %q", got)
	}
	resp, err = mute.Get(first.URL + "?to=/there")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := first.got(); got != strings.Repeat("mt_secret1,", 3)+strings.Repeat("mt_secret2,", 2)+"mt_secret2" {
		t.Errorf("a redirect on the same host went without the token: %q", got)
	}
}

type muteTransport struct{}

func (muteTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if resp != nil {
		resp.Request = nil
	}
	return resp, err
}

func TestTransportRefusesPlainHTTP(t *testing.T) {
	t.Parallel()
	m := &minter{lifetime: time.Hour}
	sent := 0
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		sent++
		return reply(200, nil, ""), nil
	})
	b := &body{Reader: strings.NewReader("x")}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://billing.example.com/", b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.source(t).Transport(base).RoundTrip(req); err == nil || sent != 0 || !b.closed {
		t.Errorf("error %v, %d sent, body closed: %t", err, sent, b.closed)
	}
	if _, err := m.source(t, wrapper.WithHosts("billing.example.com")).Transport(base).RoundTrip(req); err == nil || sent != 0 {
		t.Errorf("to a host that is named without a scheme: error %v, %d sent", err, sent)
	}
	// Named with it, it is the operator's decision.
	resp, err := m.source(t, wrapper.WithHosts("http://billing.example.com")).Transport(base).RoundTrip(req)
	if err != nil || sent != 1 {
		t.Errorf("to a named host: %v, %d sent", err, sent)
	}
	_ = resp.Body.Close()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The refusal that the caller does not see is read to its end, so that its connection can be used again, and closed; the
// one that the caller sees is left alone.
func TestTransportClosesWhatItDrops(t *testing.T) {
	t.Parallel()
	var refusals []*body
	m := &minter{lifetime: time.Hour}
	transport := m.source(t).Transport(roundTripper(func(*http.Request) (*http.Response, error) {
		b := &body{Reader: strings.NewReader("no")}
		refusals = append(refusals, b)
		resp := reply(http.StatusUnauthorized, http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}, "")
		resp.Body = b
		return resp, nil
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://billing.internal/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if len(refusals) != 2 || !refusals[0].closed || refusals[1].closed {
		t.Errorf("%d refusals, the first closed: %t", len(refusals), refusals[0].closed)
	}
	if left := refusals[0].Reader.(*strings.Reader).Len(); left != 0 {
		t.Errorf("%d bytes of the refusal were left unread", left)
	}
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "no" {
		t.Errorf("the caller reads %q, %v", text, err)
	}
	_ = resp.Body.Close()
}

func TestTransportWithoutAToken(t *testing.T) {
	t.Parallel()
	m := &minter{lifetime: time.Hour}
	m.set(0, func() *http.Response { return reply(http.StatusUnauthorized, nil, `{"errors":[]}`) })
	b := &body{Reader: strings.NewReader("x")}
	c := newCallee(t).start()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL, b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&http.Client{Transport: m.source(t).Transport(nil)}).Do(req)
	if _, ok := errors.AsType[*wrapper.TokenError](err); !ok || !errors.Is(err, wrapper.ErrUnauthorized) || !b.closed {
		t.Errorf("error %v, body closed: %t", err, b.closed)
	}
	if got := c.got(); got != "" || len(c.tokens) != 0 {
		t.Errorf("the callee was called: %q", got)
	}
}

func TestTransportOverHTTP2(t *testing.T) {
	t.Parallel()
	c := newCallee(t, "mt_secret1")
	c.EnableHTTP2 = true
	c.StartTLS()
	m := &minter{lifetime: time.Hour}
	client := &http.Client{Transport: m.source(t).Transport(c.Client().Transport)}
	defer client.CloseIdleConnections()
	resp, err := client.Post(c.URL, "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 || c.got() != "mt_secret1,mt_secret2" || strings.Join(c.bodies, ",") != "hello,hello" {
		t.Errorf("%s, status %d, tokens %q, bodies %q", resp.Proto, resp.StatusCode, c.got(), c.bodies)
	}
}

func TestOAuth2ClientTakesTheSource(t *testing.T) {
	t.Parallel()
	c := newCallee(t).start()
	m := &minter{lifetime: time.Hour}
	resp, err := oauth2.NewClient(t.Context(), m.source(t)).Get(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if c.got() != "mt_secret1" {
		t.Errorf("the callee got %q", c.got())
	}
}
