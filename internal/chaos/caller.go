package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// answer is what a caller was told.
type answer struct {
	status int    // 0 when nothing came
	who    string // who the callee says it is
	err    error
}

// good is a caller that may call a callee, and whom the callee is to know as a subject.
type good struct {
	name   string
	callee *callee
	who    string
	client *http.Client
	mint   func() string // its token; "" where the client brings one. It may take a while: a signing key may have to be made
}

// goods are all good callers: each source with each callee, and all other kinds of tokens with the callee that takes them.
func (w *world) goods() []good {
	var all []good
	for _, c := range w.callees {
		for _, s := range w.sources {
			client := &http.Client{Transport: s.tokens.Transport(&hop{base: w.services, world: w})}
			all = append(all, good{s.name + " source", c, "m2m_token " + w.orders.ID, client, func() string { return "" }})
		}
		if !c.any {
			continue
		}
		client := &http.Client{Transport: w.services}
		for name, mint := range w.others() {
			who := map[bool]string{true: w.orders.ID, false: w.user}[strings.HasPrefix(name, "m2m_token")]
			kind, _, _ := strings.Cut(name, " ")
			all = append(all, good{name, c, kind + " " + who, client, mint})
		}
	}
	return all
}

// others mint good tokens that do not come from a source; the first word of a name is the type.
func (w *world) others() map[string]func() string {
	return map[string]func() string{
		"m2m_token opaque":   func() string { return string(w.clerk.MintM2M(w.orders.ID).Token) },
		"m2m_token JWT":      func() string { return w.clerk.MintJWT(w.orders.ID) },
		"api_key":            func() string { return string(w.clerk.MintAPIKey(w.user).Secret) },
		"oauth_token opaque": func() string { return string(w.clerk.MintOAuth(w.user).Token) },
		"oauth_token JWT":    func() string { return w.clerk.MintOAuthJWT(w.user) },
		"session_token":      func() string { return w.clerk.MintSession(w.user) },
	}
}

// bad is a kind of token that no callee takes.
type bad struct {
	name string
	mint func() string
}

func (w *world) bads() []bad {
	s, orders := w.clerk, w.orders.ID
	jwt := func(opts ...m2mtest.MintOption) func() string {
		return func() string { return s.MintJWT(orders, opts...) }
	}
	opaque := func(machine string, opts ...m2mtest.MintOption) func() string {
		return func() string { return string(s.MintM2M(machine, opts...).Token) }
	}
	past := m2mtest.ExpiresIn(-time.Minute)
	return []bad{
		{"JWT with another payload", func() string { return tamper(s.MintJWT(orders), 1) }},
		{"JWT with another signature", func() string { return tamper(s.MintJWT(orders), 2) }},
		{"JWT of a stranger's key", jwt(m2mtest.ForeignKey())},
		{"JWT of a stranger's key with a kid of its own", jwt(m2mtest.ForeignKey(), m2mtest.Header("kid", "ins_stranger"))},
		{"JWT, alg none", jwt(m2mtest.Algorithm("none"))},
		{"JWT, HS256 with the public key", jwt(m2mtest.Algorithm("HS256"))},
		{"JWT, ES256 of a stranger", jwt(m2mtest.Algorithm("ES256"))},
		{"JWT, expired", jwt(past)},
		{"JWT without exp", jwt(m2mtest.WithoutClaim("exp"))},
		// A day ahead, which no jump of the clocks reaches.
		{"JWT, not yet valid", func() string { return s.MintJWT(orders, m2mtest.Claim("nbf", s.Now().Add(24*time.Hour).Unix())) }},
		{"JWT of another issuer", jwt(m2mtest.Claim("iss", "https://clerk.stranger.example"), m2mtest.ForeignKey())},
		{"JWT of another category", jwt(m2mtest.Header("cat", "cl_B7d4PD222AAA"))},
		{"JWT of a machine without scope", func() string { return s.MintJWT(w.stranger.ID) }},
		{"session token, expired", func() string { return s.MintSession(w.user, past) }},
		{"session token of a stranger's key", func() string { return s.MintSession(w.user, m2mtest.ForeignKey()) }},
		{"OAuth JWT of a stranger's key", func() string { return s.MintOAuthJWT(w.user, m2mtest.ForeignKey()) }},
		{"OAuth JWT, expired", func() string { return s.MintOAuthJWT(w.user, past) }},
		{"opaque, revoked", opaque(orders, m2mtest.Revoked("leaked"))},
		{"opaque, expired", opaque(orders, past)},
		{"opaque of a machine without scope", opaque(w.stranger.ID)},
		{"opaque, unknown", func() string { return "mt_" + strings.Repeat("x", 32) }},
		{"API key, revoked", func() string { return string(s.MintAPIKey(w.user, m2mtest.Revoked("leaked")).Secret) }},
		{"API key, expired", func() string { return string(s.MintAPIKey(w.user, past).Secret) }},
		{"OAuth token, revoked", func() string { return string(s.MintOAuth(w.user, m2mtest.Revoked("leaked")).Token) }},
		{"OAuth token, expired", func() string { return string(s.MintOAuth(w.user, past).Token) }},
		{"a machine's secret key", func() string { return *w.ordersKey.Load() }},
		{"the instance's secret key", s.SecretKey},
		{"no token", func() string { return "" }},
	}
}

// tamper changes one letter in the middle of a part of a JWT.
func tamper(token string, part int) string {
	parts := strings.Split(token, ".")
	letters := []byte(parts[part])
	if i := len(letters) / 2; letters[i] != 'A' {
		letters[i] = 'A'
	} else {
		letters[i] = 'B'
	}
	parts[part] = string(letters)
	return strings.Join(parts, ".")
}

// call sends one request; "" leaves the token to the client.
func (w *world) call(ctx context.Context, client *http.Client, url, token string) answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/invoices", strings.NewReader(`{"amount":1}`))
	if err != nil {
		return answer{err: err}
	}
	if token != "" {
		w.ledger.secret(token)
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	resp.Body = w.ledger.watch(resp.Body)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{err: err}
	}
	return answer{status: resp.StatusCode, who: string(body)}
}

// hop is below the transport of a source: it judges what each callee says to each token.
type hop struct {
	base  http.RoundTripper
	world *world
}

func (h *hop) RoundTrip(r *http.Request) (*http.Response, error) {
	w, before := h.world, h.world.disruption.Load()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	resp, err := h.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		may := !w.calm(before) || !w.ledger.good(token, w.clerk.Now())
		w.ledger.check(noWrongDenial, may, "a callee answers a live token of a source: %d %s", resp.StatusCode, resp.Header.Get("X-Clerk-Auth-Reason"))
		w.ledger.refuse(token)
	}
	return resp, nil
}

// judgeGood judges what a good caller was told. calm tells whether nothing happened meanwhile that may make its token bad.
func judgeGood(g good, a answer, calm bool) (invariant, violation string) {
	switch {
	case a.status == http.StatusOK && a.who != g.who:
		return noWrongSignIn, "signed in as " + a.who + ", not as " + g.who
	case a.status == 0, a.status == http.StatusOK, a.status == http.StatusServiceUnavailable:
		return noWrongDenial, ""
	case !calm && (a.status == http.StatusUnauthorized || a.status == http.StatusForbidden):
		return noWrongDenial, ""
	}
	return noWrongDenial, "told " + http.StatusText(a.status)
}

// judgeBad judges what was said to a bad token.
func judgeBad(a answer) (violation string) {
	switch a.status {
	case 0, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable:
		return ""
	}
	return "told " + http.StatusText(a.status) + " " + a.who
}

// tryGood lets a good caller call once.
func (w *world) tryGood(patience time.Duration, g good) (a answer) {
	before := w.disruption.Load()
	token := g.mint()
	w.within(patience, g.name, func(ctx context.Context) { a = w.call(ctx, g.client, g.callee.url, token) })
	calm := w.calm(before)
	invariant, violation := judgeGood(g, a, calm)
	w.ledger.check(invariant, violation == "", "%s at %q: %s", g.name, g.callee.name, violation)
	if violation == "" && a.status == http.StatusOK {
		w.ledger.check(noWrongSignIn, true, "")
	}
	w.ledger.count("good: " + outcome(a))
	if a.err != nil {
		w.logged.caller(w.log, g.name, a.err)
	}
	return a
}

// tryBad presents a bad token once.
func (w *world) tryBad(patience time.Duration, b bad, c *callee) {
	var a answer
	token := b.mint()
	w.within(patience, b.name, func(ctx context.Context) { a = w.call(ctx, &http.Client{Transport: w.services}, c.url, token) })
	violation := judgeBad(a)
	w.ledger.check(noWrongSignIn, violation == "", "%s at %q: %s", b.name, c.name, violation)
	w.ledger.count("bad: " + outcome(a))
}

func outcome(a answer) string {
	switch {
	case a.status != 0:
		return http.StatusText(a.status)
	case errors.Is(a.err, context.DeadlineExceeded):
		return "the caller's context ended"
	}
	return "no token to be had"
}

// within does something with a deadline, and checks that it took no longer.
func (w *world) within(bound time.Duration, what string, f func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	w.bounded(bound, what, func() { f(ctx) })
}

// bounded checks that something without a deadline took no longer than is documented.
func (w *world) bounded(bound time.Duration, what string, f func()) {
	start, stalled := time.Now(), w.stalls.soFar()
	f()
	took := time.Since(start)
	if took > bound+slack {
		time.Sleep(2 * stallTick) // until a stall that was over just now is counted
	}
	stalled = w.stalls.soFar() - stalled
	w.ledger.check(noLongWait, took <= bound+slack+stalled, "%s took %s, and may take %s; the machine stalled for %s", what, took, bound, stalled)
}

// traffic is one worker: requests of all kinds, until the context ends.
func (w *world) traffic(ctx context.Context, random *rand.Rand) {
	goods, bads := w.goods(), w.bads()
	for ctx.Err() == nil {
		// A request that is begun is finished: it has its own deadline.
		patience := 50*time.Millisecond + time.Duration(random.Int64N(int64(2*time.Second)))
		c := w.callees[random.IntN(len(w.callees))]
		switch n := random.IntN(100); {
		case n < 55:
			w.tryGood(patience, goods[random.IntN(len(goods))])
		case n < 95:
			w.tryBad(patience, bads[random.IntN(len(bads))], c)
		case n < 97: // nobody is patient: what is documented bounds it
			s := w.sources[random.IntN(len(w.sources))]
			w.bounded(callBound, "Token", func() {
				if _, err := s.tokens.Token(); err != nil {
					w.logged.caller(w.log, "Token", err)
				}
			})
		default:
			b := bads[random.IntN(len(bads))]
			token := b.mint()
			w.ledger.secret(token)
			w.bounded(keysBound, "AuthenticateToken", func() { w.authenticate(b.name, token, c) })
		}
		time.Sleep(time.Duration(random.Int64N(int64(40 * time.Millisecond))))
	}
}

func (w *world) authenticate(name, token string, c *callee) {
	state, err := c.auth.AuthenticateToken(context.Background(), token, c.accept...)
	w.ledger.check(noWrongSignIn, err == nil && state.Status == authn.SignedOut, "AuthenticateToken at %q: %s: %v, %v", c.name, name, state, err)
	w.logged.caller(w.log, "AuthenticateToken "+name, state.Err)
	w.log.Debug("state", "state", state)
}
