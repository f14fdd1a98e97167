package wrapper

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// While a live token is renewed, and in the pause after a renewal that failed, its callers do not meet at the lock.
func TestCallersOfALiveTokenNeedNoLock(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var passed atomic.Int64
	s := (*M2MTokens)(nil).TokenSource(CreateM2MTokenParams{}, WithTokenClock(func() time.Time { return start.Add(time.Duration(passed.Load())) }))
	answer := make(chan error)
	s.mint = func(context.Context) (*M2MToken, error) {
		expiration := start.Add(time.Hour).UnixMilli()
		return &M2MToken{Token: "mt_secret", CreatedAt: start.UnixMilli(), Expiration: &expiration}, <-answer
	}
	ask := func() {
		t.Helper()
		done := make(chan error)
		go func() {
			_, err := s.Token()
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the caller waits")
		}
	}
	go func() { answer <- nil }()
	ask()
	passed.Store(int64(55 * time.Minute))
	ask() // starts the renewal
	s.mu.Lock()
	f := s.flight
	ask()
	s.mu.Unlock()
	if f == nil {
		t.Fatal("no renewal is under way")
	}
	answer <- errors.New("no")
	<-f.done
	s.mu.Lock()
	ask()
	s.mu.Unlock()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
