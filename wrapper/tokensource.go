package wrapper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const (
	// DefaultRenewFrom and DefaultRenewTo bound the part of a token's lifetime at a random point of which it is
	// renewed, unless [WithRenewal] says otherwise.
	DefaultRenewFrom, DefaultRenewTo = 0.70, 0.85

	// maxExpiryMargin is how long before its expiry a token is no longer given out, so that it is not dead on
	// arrival; of a short-lived token it is a tenth of the lifetime. It is less than the 10 seconds before the expiry at
	// which [oauth2.ReuseTokenSource] asks for another token: what asks then still has the old one while it is renewed.
	maxExpiryMargin = 5 * time.Second

	mintPauseBase = time.Second
	mintPauseMax  = 10 * time.Second
	// maxMintPause bounds the Retry-After that a source honours between mints.
	maxMintPause = 5 * time.Minute

	// maxReplacements is how many tokens in a row may be minted in place of refused ones while each is younger than
	// replacementAge: a callee that refuses every token does not have one minted, and billed, for each request.
	maxReplacements = 3
	replacementAge  = 30 * time.Second
)

// ErrTokenSourceClosed is what a [TokenSource] gives after Close.
var ErrTokenSourceClosed = errors.New("clerk: the token source is closed")

// TokenError is what a [TokenSource] gives when it has no live token and cannot mint one. The cause, mostly an
// [*APIError], is found with errors.As.
type TokenError struct {
	Err error
}

// Error says that there is no token and why.
func (e *TokenError) Error() string { return "clerk: no token for outgoing requests: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *TokenError) Unwrap() error { return e.Err }

// TokenSource gives outgoing requests one live token, however many goroutines ask: it is minted at the first call,
// shared, and renewed in the background before it expires, while the one before is still given out. When it cannot be
// renewed it is kept to its end, and the attempts go on with growing pauses; only then do callers get a [*TokenError].
//
// It is an [oauth2.TokenSource]; oauth2.Transport, gRPC's oauth credentials and all else that takes one takes it.
// It is safe for concurrent use. No goroutine runs unless a token is being minted; [TokenSource.Close] ends that one.
type TokenSource struct {
	mint    func(ctx context.Context) (*M2MToken, error)
	from    float64
	to      float64
	now     func() time.Time
	hosts   []host
	editors []RequestEditor

	current atomic.Pointer[liveToken]

	mu       sync.Mutex
	flight   *flight   // the mint under way, nil when none is
	failures int       // mints that failed since the last that did not
	pause    time.Time // no mint before that
	lastErr  error     // of the last mint, nil when it succeeded
	replaced int       // replacements of the token that comes next
	closed   bool
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// liveToken is a token and the times that decide about it. Times are on the wall clock and, where the process was not
// suspended, on the monotonic clock too: whichever says first that a moment has passed is believed.
type liveToken struct {
	token  oauth2.Token
	start  time.Time
	deadAt time.Time // zero: never
	// renewAt is nil for never. While a mint is under way, and in the pause after one that failed, it is put off, so that
	// the callers of a live token never meet at the lock.
	renewAt atomic.Pointer[time.Time]
	// replacements counts the tokens before it that were refused young, one after the other.
	replacements int
	accepted     atomic.Bool // whether a callee took it
}

type flight struct{ done chan struct{} }

// TokenSourceOption configures a [TokenSource].
type TokenSourceOption func(*TokenSource)

// WithRenewal sets between which parts of its lifetime, from 0 to 1, a token is renewed; the point is random, so that
// many processes do not renew at once. What is not 0 < from <= to < 1 is ignored. Default: [DefaultRenewFrom] to
// [DefaultRenewTo].
func WithRenewal(from, to float64) TokenSourceOption {
	return func(s *TokenSource) {
		if from > 0 && from <= to && to < 1 {
			s.from, s.to = from, to
		}
	}
}

// WithHosts names the hosts that [TokenSource.Transport] gives the token to, as they are in URLs: "billing.internal",
// or "billing.internal:8443" for that port alone. With a scheme, "http://billing.internal", the host is also given the
// token over plain http, for networks that are trusted or encrypt below it. Default: the host of the first hop of each
// request, and no host that a redirect chose.
func WithHosts(hosts ...string) TokenSourceOption {
	return func(s *TokenSource) {
		for _, h := range hosts {
			s.hosts = append(s.hosts, parseHost(h))
		}
	}
}

// WithMintEditor adds an editor to the calls that mint, such as [MachineSecretKey] for a machine that the client is
// not configured with.
func WithMintEditor(edit ...RequestEditor) TokenSourceOption {
	return func(s *TokenSource) { s.editors = append(s.editors, edit...) }
}

// WithTokenClock sets the time by which tokens are judged, for tests. Default, and for nil: [time.Now].
func WithTokenClock(now func() time.Time) TokenSourceOption {
	return func(s *TokenSource) {
		if now != nil {
			s.now = now
		}
	}
}

// TokenSource gives a source of tokens that are minted with params; nothing is minted before it is asked.
//
// Where many replicas of a service share a machine, or processes live shorter than a token, set
// params.MinRemainingTTLSeconds: Clerk then gives them all one live opaque token instead of minting one for each. It
// must be below the token's lifetime; with more than what is left at the renewal point (30 % to 15 % of the lifetime by
// default) a renewal gives a new token, with less it may give the same one again. Not for JWTs, which Clerk never
// shares.
func (s *M2MTokens) TokenSource(params CreateM2MTokenParams, opts ...TokenSourceOption) *TokenSource {
	ts := &TokenSource{from: DefaultRenewFrom, to: DefaultRenewTo, now: time.Now}
	for _, opt := range opts {
		opt(ts)
	}
	params.Claims = slices.Clone(params.Claims)
	ts.mint = func(ctx context.Context) (*M2MToken, error) { return s.Create(ctx, params, ts.editors...) }
	ts.ctx, ts.cancel = context.WithCancel(context.Background())
	return ts
}

// Token gives the live token, minting one where there is none. It implements [oauth2.TokenSource]; without a context
// it waits as long as one call to Clerk may take with its retries: 5 seconds when Clerk does not answer, as creating a
// token is repeated only after a 429, and about 75 seconds when each answer is one that asks to wait 30. Each call gives
// a copy of its own, because sources such as [oauth2.ReuseTokenSource] write to what they are given. Its type prints its
// value: do not log it.
//
// [oauth2.NewClient] keeps a token until 10 seconds before its expiry and asks for no other, so that it is renewed only
// then; oauth2.Transport with this source, or [TokenSource.Transport], asks for each request.
func (s *TokenSource) Token() (*oauth2.Token, error) {
	return s.fill(context.Background(), new(oauth2.Token))
}

// TokenContext is Token for as long as the context lasts. The end of the context ends the waiting and not the mint,
// which others may wait for too.
func (s *TokenSource) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	return s.fill(ctx, new(oauth2.Token))
}

// fill makes own a copy of the live token. That own comes from the caller lets Token and TokenContext be inlined, and
// own stay off the heap where it is used and forgotten: allocating it would cost more than all the rest.
func (s *TokenSource) fill(ctx context.Context, own *oauth2.Token) (*oauth2.Token, error) {
	t, err := s.live(ctx)
	if err != nil {
		return nil, err
	}
	*own = t.token
	return own, nil
}

// live gives the token that all share, which nobody may change.
func (s *TokenSource) live(ctx context.Context) (*liveToken, error) {
	if t := s.current.Load(); t != nil {
		now := s.now()
		if !t.due(now) { // and so alive
			return t, nil
		}
		if t.alive(now) {
			s.renew()
			return t, nil
		}
	}
	return s.wait(ctx)
}

// wait has a token minted and waits for it.
func (s *TokenSource) wait(ctx context.Context) (*liveToken, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, &TokenError{Err: err}
		}
		f, err := s.start()
		if err != nil {
			return nil, err
		}
		if f != nil {
			select {
			case <-f.done:
			case <-ctx.Done():
				return nil, &TokenError{Err: ctx.Err()}
			}
		}
		if t := s.current.Load(); t != nil && t.alive(s.now()) {
			return t, nil
		}
	}
}

// renew starts a mint in the background, if none is under way and no pause is on.
func (s *TokenSource) renew() { _, _ = s.start() }

// start gives the mint that is under way, and starts one where there is none. It is nil without an error when there is
// a live token that needs no renewal, or is being renewed. After a mint that failed it is that error until the pause is
// over: callers that come then are answered at once, and Clerk is left alone.
func (s *TokenSource) start() (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &TokenError{Err: ErrTokenSourceClosed}
	}
	now, t := s.now(), s.current.Load()
	if t != nil && !t.due(now) {
		return nil, nil
	}
	if s.flight != nil {
		return s.flight, nil
	}
	if s.lastErr != nil && now.Before(s.pause) {
		return nil, &TokenError{Err: s.lastErr}
	}
	if t != nil {
		t.renewAt.Store(&t.deadAt)
	}
	f := &flight{done: make(chan struct{})}
	s.flight = f
	s.running.Go(func() { s.fly(f) })
	return f, nil
}

// fly mints one token.
func (s *TokenSource) fly(f *flight) {
	start := s.now()
	token, err := s.mint(s.ctx)
	var live *liveToken
	if err == nil {
		live, err = s.judge(token, start, s.now())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = nil
	s.lastErr = err
	if err == nil {
		live.replacements, s.replaced, s.failures = s.replaced, 0, 0
		s.current.Store(live)
	} else {
		s.pause = s.now().Add(mintPause(s.failures, err))
		s.failures++
		if t := s.current.Load(); t != nil && s.pause.Before(t.deadAt) {
			again := s.pause
			t.renewAt.Store(&again)
		}
	}
	close(f.done)
}

// mintPause decides how long Clerk is left alone after a mint failed.
func mintPause(failures int, err error) time.Duration {
	pause := min(mintPauseMax, mintPauseBase<<min(failures, 10))
	pause = pause/2 + rand.N(pause/2)
	if e, ok := errors.AsType[*APIError](err); ok {
		return max(pause, min(e.RetryAfter, maxMintPause))
	}
	return pause
}

// judge decides when a token is renewed and when it is dead. Clerk says its expiry; where this machine's clock is
// behind Clerk's, that would come too late, so its lifetime counts too, from the moment before it was asked for.
func (s *TokenSource) judge(token *M2MToken, asked, now time.Time) (*liveToken, error) {
	t := &liveToken{token: oauth2.Token{AccessToken: string(token.Token), TokenType: "Bearer"}, start: asked}
	if token.Expiration == nil {
		return t, nil
	}
	expiry := time.UnixMilli(*token.Expiration)
	left := expiry.Sub(asked)
	if token.CreatedAt > 0 {
		left = min(left, expiry.Sub(time.UnixMilli(token.CreatedAt)))
	}
	t.token.Expiry = asked.Add(left).Round(0)
	left -= min(maxExpiryMargin, left/10)
	if left <= now.Sub(asked) {
		return nil, fmt.Errorf("%w: the token that was minted expires at %s, and this machine's clock says %s; check the clock, or ask for a longer lifetime",
			ErrInvalidReply, expiry.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	t.deadAt = asked.Add(left)
	renewAt := asked.Add(time.Duration(float64(left) * (s.from + (s.to-s.from)*rand.Float64())))
	t.renewAt.Store(&renewAt)
	return t, nil
}

// alive tells whether the token may still be given out.
func (t *liveToken) alive(now time.Time) bool { return t.deadAt.IsZero() || !reached(now, t.deadAt) }

// due tells whether the token is to be renewed. A token that is not due is alive.
func (t *liveToken) due(now time.Time) bool {
	at := t.renewAt.Load()
	return at != nil && reached(now, *at)
}

// reached tells whether a moment has passed on either clock: the wall clock goes on while a machine sleeps, and the
// monotonic one while somebody sets the wall clock back.
func reached(now, at time.Time) bool {
	return !now.Before(at) || now.Unix() > at.Unix() || now.Unix() == at.Unix() && now.Nanosecond() >= at.Nanosecond()
}

// Invalidate forgets a token that a callee refused, so that the next call mints another. It does nothing when another
// has taken its place already: one that was refused late does not end its successor. Nor does it when the token is
// younger than 30 seconds and the third in a row that took the place of one refused as young: then it is not the token
// that is at fault, and each one that is minted is billed.
func (s *TokenSource) Invalidate(token *oauth2.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.current.Load(); t != nil && token != nil && t.token.AccessToken == token.AccessToken {
		s.drop(t, maxReplacements)
	}
}

// refuse is Invalidate for the Transport, which knows whether a callee ever took the token: where none did, the one
// that it replaced was not at fault either. It tells whether the next call gives another token.
func (s *TokenSource) refuse(token *liveToken) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Load() != token {
		return true
	}
	if token.accepted.Load() {
		return s.drop(token, maxReplacements)
	}
	return s.drop(token, 1)
}

// drop forgets the current token, unless it is young and the most replacements in a row were made.
func (s *TokenSource) drop(t *liveToken, most int) bool {
	young := 0
	if !reached(s.now(), t.start.Add(replacementAge)) {
		young = t.replacements
	}
	if young >= most {
		return false
	}
	s.replaced = young + 1
	s.current.Store(nil)
	return true
}

// Format implements [fmt.Formatter]: whatever the verb, a source shows no token.
func (s *TokenSource) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "wrapper.TokenSource") }

// Close ends a mint that is under way and waits for its goroutine. A live token is forgotten; calls from then on give
// [ErrTokenSourceClosed]. It may be called more than once.
func (s *TokenSource) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	s.current.Store(nil)
	return nil
}
