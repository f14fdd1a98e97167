package wrapper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"golang.org/x/oauth2"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// minter is a Clerk that only mints, without a network, so that it works in a synctest bubble.
type minter struct {
	lifetime time.Duration // 0: no expiry
	skew     atomic.Int64  // Clerk's clock minus the real time, in nanoseconds
	minted   atomic.Int64
	asked    atomic.Int64

	mu    sync.Mutex
	delay time.Duration
	fail  func() *http.Response // instead of minting
}

func (m *minter) set(delay time.Duration, fail func() *http.Response) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay, m.fail = delay, fail
}

func (m *minter) RoundTrip(req *http.Request) (*http.Response, error) {
	m.asked.Add(1)
	m.mu.Lock()
	delay, fail := m.delay, m.fail
	m.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if fail != nil {
		return fail(), nil
	}
	n := m.minted.Add(1)
	created := time.Now().Add(time.Duration(m.skew.Load()))
	expiration := "null"
	if m.lifetime > 0 {
		expiration = fmt.Sprint(created.Add(m.lifetime).UnixMilli())
	}
	return reply(http.StatusCreated, nil, fmt.Sprintf(`{"object":"machine_to_machine_token","id":"mt_%032x","subject":"mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk",`+
		`"token":"mt_secret%d","revoked":false,"revocation_reason":null,"expired":false,"expiration":%s,"last_used_at":null,"created_at":%d,"updated_at":%d}`,
		n, n, expiration, created.UnixMilli(), created.UnixMilli())), nil
}

func reply(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func unavailable() *http.Response { return reply(http.StatusServiceUnavailable, nil, `{}`) }

func (m *minter) source(t testing.TB, opts ...wrapper.TokenSourceOption) *wrapper.TokenSource {
	t.Helper()
	c, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithMachineSecretKey("ak_test"), wrapper.WithHTTPClient(&http.Client{Transport: m}))
	if err != nil {
		t.Fatal(err)
	}
	s := c.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{}, opts...)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// want asks for a token and checks its value.
func want(t *testing.T, s *wrapper.TokenSource, value string) {
	t.Helper()
	token, err := s.Token()
	if err != nil {
		t.Fatalf("Token: %v", err)
	}
	if token.AccessToken != value || token.Type() != "Bearer" {
		t.Fatalf("the token is %q of type %s, want %q", token.AccessToken, token.Type(), value)
	}
}

func TestTokenSourceMintsOncePerLifetime(t *testing.T) {
	t.Parallel()
	m := &minter{lifetime: time.Hour}
	s := m.source(t)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 1000 {
		wg.Go(func() {
			for range 1000 {
				if token, err := s.Token(); err != nil || token.AccessToken != "mt_secret1" {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if m.minted.Load() != 1 || failed.Load() != 0 {
		t.Errorf("%d tokens were minted, %d calls failed", m.minted.Load(), failed.Load())
	}
}

func TestTokenSourceRenewsInTheBackground(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []time.Duration{time.Hour, 40 * time.Second, 2 * time.Second} {
		t.Run(lifetime.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &minter{lifetime: lifetime}
				s := m.source(t)
				want(t, s, "mt_secret1")
				m.set(lifetime/1000, nil)
				time.Sleep(lifetime * 60 / 100)
				want(t, s, "mt_secret1")
				synctest.Wait()
				if m.asked.Load() != 1 {
					t.Fatal("it was renewed early")
				}
				time.Sleep(lifetime * 26 / 100)
				start := time.Now()
				want(t, s, "mt_secret1") // while the new one is minted
				if time.Since(start) != 0 {
					t.Error("a caller with a live token waited")
				}
				time.Sleep(lifetime * 2 / 100)
				want(t, s, "mt_secret2")
				if m.minted.Load() != 2 {
					t.Errorf("%d tokens were minted, want 2", m.minted.Load())
				}
			})
		})
	}
}

func TestTokenSourceRenewalIsSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		m := &minter{lifetime: time.Hour}
		sources := make([]*wrapper.TokenSource, n)
		for i := range sources {
			sources[i] = m.source(t, wrapper.WithRenewal(0.2, 0.4))
			if _, err := sources[i].Token(); err != nil {
				t.Fatal(err)
			}
		}
		var buckets [8]int
		for minute := range 24 {
			time.Sleep(time.Minute)
			before := m.minted.Load()
			for _, s := range sources {
				_, _ = s.Token()
			}
			synctest.Wait()
			buckets[minute/3] += int(m.minted.Load() - before)
		}
		if m.minted.Load() != 2*n {
			t.Fatalf("%d tokens were minted, want %d: each renewed once", m.minted.Load(), 2*n)
		}
		for i, got := range buckets {
			if most := n / 2; got > most {
				t.Errorf("%d of %d were renewed within 3 minutes (bucket %d)", got, n, i)
			}
		}
	})
}

func TestTokenSourceKeepsTheTokenToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: 10 * time.Minute}
		s := m.source(t)
		want(t, s, "mt_secret1")
		m.set(0, unavailable)
		for range 594 {
			time.Sleep(time.Second)
			want(t, s, "mt_secret1")
		}
		attempts := m.asked.Load() - 1
		if attempts < 5 || attempts > 60 {
			t.Errorf("%d attempts to renew in the last minutes; want repeated, with pauses", attempts)
		}
		time.Sleep(2 * time.Second)
		_, err := s.Token()
		if _, ok := errors.AsType[*wrapper.TokenError](err); !ok || !errors.Is(err, wrapper.ErrUnavailable) {
			t.Fatalf("with a dead token: %v", err)
		}
		m.set(0, nil)
		time.Sleep(10 * time.Second)
		want(t, s, "mt_secret2")
	})
}

func TestTokenSourceLeavesClerkAloneAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Hour}
		m.set(0, func() *http.Response {
			return reply(http.StatusTooManyRequests, http.Header{"Retry-After": {"60"}}, `{"errors":[]}`)
		})
		s := m.source(t)
		for range 59 {
			if _, err := s.Token(); !errors.Is(err, wrapper.ErrRateLimited) {
				t.Fatalf("Token: %v", err)
			}
			time.Sleep(time.Second)
		}
		if got := m.asked.Load(); got != 1 {
			t.Errorf("Clerk was asked %d times within its Retry-After", got)
		}
		m.set(0, nil)
		time.Sleep(time.Second)
		want(t, s, "mt_secret1")
	})
}

func TestTokenSourceWithoutExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{}
		s := m.source(t)
		want(t, s, "mt_secret1")
		time.Sleep(10 * 365 * 24 * time.Hour)
		want(t, s, "mt_secret1")
		s.Invalidate(&oauth2.Token{AccessToken: "mt_secret1"})
		want(t, s, "mt_secret2")
	})
}

func TestTokenSourceWaitersKeepTheirContexts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Hour}
		m.set(3*time.Second, nil)
		s := m.source(t)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			if _, err := s.TokenContext(short); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("the impatient caller got %v after %s", err, time.Since(start))
			}
		})
		wg.Go(func() {
			if token, err := s.TokenContext(t.Context()); err != nil || token.AccessToken != "mt_secret1" {
				t.Errorf("the patient caller got %v, %v", token, err)
			}
		})
		wg.Wait()
		if m.asked.Load() != 1 {
			t.Errorf("Clerk was asked %d times", m.asked.Load())
		}
	})
}

func TestTokenSourceClocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		skew time.Duration // Clerk's clock minus ours
		jump time.Duration // of our wall clock after the mint
		wait time.Duration
		live bool
	}{
		{name: "all is well", wait: 50 * time.Minute, live: true},
		{name: "the machine slept past the expiry", jump: 2 * time.Hour},
		{name: "the clock was set back, and the time passed all the same", jump: -24 * time.Hour, wait: time.Hour},
		{name: "our clock is behind Clerk's", skew: 30 * time.Minute, wait: 61 * time.Minute},
		{name: "our clock is ahead of Clerk's", skew: -30 * time.Minute, wait: 31 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			boot := time.Now() // with a monotonic reading, which the bubble's clock has not
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				m := &minter{lifetime: time.Hour}
				m.skew.Store(int64(boot.Sub(start) + tt.skew))
				var jump atomic.Int64
				s := m.source(t, wrapper.WithTokenClock(func() time.Time {
					return jumped(t, boot.Add(time.Since(start)), time.Duration(jump.Load()))
				}))
				want(t, s, "mt_secret1")
				jump.Store(int64(tt.jump))
				m.skew.Add(int64(max(0, tt.jump))) // the time that a sleeping machine lost
				time.Sleep(tt.wait)
				value := "mt_secret2"
				if tt.live {
					value = "mt_secret1"
				}
				want(t, s, value)
			})
		})
	}
}

// jumped gives now with its wall clock set by d and its monotonic clock left alone, as the clock of a machine reads that
// slept or was set. The package time has no way to make such a moment, so that this one writes to where a Time with a
// monotonic reading has its seconds, and checks what came of it.
func jumped(t *testing.T, now time.Time, d time.Duration) time.Time {
	t.Helper()
	set := now
	*(*int64)(unsafe.Pointer(&set)) += int64(d/time.Second) << 30
	if set.Unix()-now.Unix() != int64(d/time.Second) || set.Sub(now) != 0 {
		t.Fatal("time.Time is laid out otherwise now: the test must find another way")
	}
	return set
}

func TestTokenSourceRefusesATokenThatIsDeadOnArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Hour}
		m.skew.Store(int64(-2 * time.Hour))
		if token, err := m.source(t).Token(); err == nil || !strings.Contains(err.Error(), "clock") {
			t.Errorf("Token: %v, %v", token, err)
		}
	})
}

func TestInvalidateIsForThatTokenOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Hour}
		s := m.source(t)
		first, err := s.Token()
		if err != nil {
			t.Fatal(err)
		}
		s.Invalidate(nil)
		s.Invalidate(&oauth2.Token{AccessToken: "another"})
		want(t, s, "mt_secret1")
		s.Invalidate(first)
		want(t, s, "mt_secret2")
		s.Invalidate(first) // late
		want(t, s, "mt_secret2")
	})
}

// Whoever invalidates each token it gets must not have one minted for each.
func TestInvalidateIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Hour}
		s := m.source(t)
		for range 20 {
			token, err := s.Token()
			if err != nil {
				t.Fatal(err)
			}
			s.Invalidate(token)
		}
		want(t, s, "mt_secret4")
		time.Sleep(30 * time.Second)
		s.Invalidate(&oauth2.Token{AccessToken: "mt_secret4"})
		want(t, s, "mt_secret5")
	})
	// The bound is on replacements in a row: one that was renewed as always starts anew.
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: 20 * time.Second}
		s := m.source(t)
		for n := 1; n <= 3; n++ {
			want(t, s, fmt.Sprintf("mt_secret%d", n))
			s.Invalidate(&oauth2.Token{AccessToken: fmt.Sprintf("mt_secret%d", n)})
		}
		want(t, s, "mt_secret4")
		time.Sleep(17 * time.Second)
		want(t, s, "mt_secret4")
		synctest.Wait()
		want(t, s, "mt_secret5")
		s.Invalidate(&oauth2.Token{AccessToken: "mt_secret5"})
		want(t, s, "mt_secret6")
	})
}

func TestTokenSourceClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Hour}
		m.set(time.Hour, nil)
		s := m.source(t)
		done := make(chan error, 1)
		go func() {
			_, err := s.Token()
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := s.Close(); err != nil || time.Since(start) != 0 {
			t.Errorf("Close: %v after %s", err, time.Since(start))
		}
		if err := <-done; !errors.Is(err, wrapper.ErrTokenSourceClosed) {
			t.Errorf("a call that waited: %v", err)
		}
		if _, err := s.Token(); !errors.Is(err, wrapper.ErrTokenSourceClosed) {
			t.Errorf("Token after Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Close comes back when the mint that was under way has ended, however long that takes.
func TestTokenSourceCloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		c, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithMachineSecretKey("ak_test"), wrapper.WithHTTPClient(&http.Client{
			Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				time.Sleep(time.Second)
				ended.Store(true)
				return nil, req.Context().Err()
			}),
		}))
		if err != nil {
			t.Fatal(err)
		}
		s := c.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
		go func() { _, _ = s.Token() }()
		synctest.Wait()
		if err := s.Close(); err != nil || !ended.Load() {
			t.Errorf("Close: %v; the mint had ended: %t", err, ended.Load())
		}
	})
}

func TestTokenSourcePrintsNoToken(t *testing.T) {
	t.Parallel()
	s := (&minter{lifetime: time.Hour}).source(t)
	want(t, s, "mt_secret1")
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s"} {
		if got := fmt.Sprintf(verb, s) + fmt.Sprintf(verb, s.Transport(nil)); strings.Contains(got, "mt_secret") || strings.Contains(got, "ak_test") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// Each source has its machine's token and no other's, whatever goes on at once.
func TestTokenSourcesNeverCross(t *testing.T) {
	t.Parallel()
	var minted sync.Map // token by the credential that it was minted with
	m := &minter{lifetime: 2 * time.Hour}
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := m.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		_, token, _ := strings.Cut(string(body), `"token":"`)
		token, _, _ = strings.Cut(token, `"`)
		minted.Store(req.Header.Get("Authorization"), token)
		return resp, err
	})
	c, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithHTTPClient(&http.Client{Transport: base}))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 8 {
		key := fmt.Sprintf("ak_machine%d", n)
		s := c.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{}, wrapper.WithMintEditor(wrapper.MachineSecretKey(key)))
		t.Cleanup(func() { _ = s.Close() })
		for range 8 {
			wg.Go(func() {
				for range 100 {
					token, err := s.Token()
					if err != nil {
						t.Error(err)
						return
					}
					if own, _ := minted.Load("Bearer " + key); own != token.AccessToken {
						t.Errorf("the source of %s gave %s, and %v was minted for it", key, token.AccessToken, own)
					}
				}
			})
		}
	}
	wg.Wait()
	if m.minted.Load() != 8 {
		t.Errorf("%d tokens were minted for 8 sources", m.minted.Load())
	}
}

// A source that asks ours only near the end of a token, as oauth2.NewClient's does, has a live one while it is renewed.
func TestTokenSourceUnderReuseTokenSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Hour}
		s := m.source(t)
		reuse := oauth2.ReuseTokenSource(nil, s)
		if _, err := reuse.Token(); err != nil {
			t.Fatal(err)
		}
		m.set(2*time.Second, nil)
		time.Sleep(time.Hour - 9*time.Second)
		start := time.Now()
		if token, err := reuse.Token(); err != nil || token.AccessToken != "mt_secret1" || time.Since(start) != 0 {
			t.Fatalf("%v, %v after %s", token, err, time.Since(start))
		}
		time.Sleep(3 * time.Second)
		if token, err := reuse.Token(); err != nil || token.AccessToken != "mt_secret2" {
			t.Fatalf("%v, %v", token, err)
		}
	})
}

// A thousand goroutines through two renewals, each a second long: one mint for each token.
func TestTokenSourceMintsOncePerLifetimeThroughRenewals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &minter{lifetime: time.Minute}
		m.set(time.Second, nil)
		s := m.source(t)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				for range 105 {
					if _, err := s.Token(); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		if got := m.minted.Load(); got != 3 || m.asked.Load() != got {
			t.Errorf("%d tokens were minted in 105 seconds by %d calls; want 3: each is renewed after 38 to 48 seconds", got, m.asked.Load())
		}
	})
}

// Whoever uses a token and forgets it pays for no allocation, though it has a copy of its own.
func TestTokenAllocatesNothing(t *testing.T) {
	s := (&minter{lifetime: time.Hour}).source(t)
	want(t, s, "mt_secret1")
	length := 0
	if got := testing.AllocsPerRun(100, func() {
		token, err := s.Token()
		if err == nil {
			length += len(token.AccessToken)
		}
	}); got != 0 || length == 0 {
		t.Errorf("%v allocations for a call", got)
	}
}

func BenchmarkToken(b *testing.B) {
	for _, goroutines := range []int{1, 2, 1000} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			s := (&minter{lifetime: 10 * time.Hour}).source(b)
			if _, err := s.Token(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range goroutines {
				wg.Go(func() {
					for range (b.N + goroutines - 1) / goroutines {
						if _, err := s.Token(); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
