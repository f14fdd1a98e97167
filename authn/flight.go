package authn

import (
	"context"
	"sync"
)

// flights makes identical calls that are under way at the same time one. Unlike package singleflight's,
// the call has a context of its own, which ends when nobody waits for it any more: a caller that goes
// away takes nobody else's answer along, and a call that nobody wants is not finished.
type flights[K comparable, V any] struct {
	calls *calls
	mu    sync.Mutex
	byKey map[K]*flight[V]
}

type flight[V any] struct {
	ended   chan struct{} // closed once value and err are set
	cancel  context.CancelFunc
	waiters int
	value   V
	err     error
}

// join starts the call of fn for key, or joins the one under way. Who joins must leave.
func (f *flights[K, V]) join(key K, fn func(context.Context) (V, error)) (*flight[V], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.byKey[key]; fl != nil {
		fl.waiters++
		return fl, nil
	}
	ctx, cancel := context.WithCancel(f.calls.ctx)
	fl := &flight[V]{ended: make(chan struct{}), cancel: cancel, waiters: 1}
	if err := f.calls.start(func() {
		defer cancel()
		fl.value, fl.err = fn(ctx)
		f.forget(key, fl)
		close(fl.ended)
	}); err != nil {
		cancel()
		return nil, err
	}
	if f.byKey == nil {
		f.byKey = make(map[K]*flight[V])
	}
	f.byKey[key] = fl
	return fl, nil
}

// leave gives up on a call; the last to leave ends it, and the next to come begins a new one.
func (f *flights[K, V]) leave(key K, fl *flight[V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.waiters--; fl.waiters > 0 {
		return
	}
	fl.cancel()
	if f.byKey[key] == fl {
		delete(f.byKey, key)
	}
}

func (f *flights[K, V]) forget(key K, fl *flight[V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKey[key] == fl {
		delete(f.byKey, key)
	}
}

// do is the result of fn, called once for all who ask at the same time. A context that ends ends only
// its own caller's waiting.
func (f *flights[K, V]) do(ctx context.Context, key K, fn func(context.Context) (V, error)) (V, error) {
	var zero V
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	fl, err := f.join(key, fn)
	if err != nil {
		return zero, err
	}
	defer f.leave(key, fl)
	select {
	case <-fl.ended:
		return fl.value, fl.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

// calls are the goroutines of an Authenticator: none runs unless a request wants its result, and none
// outlives close.
type calls struct {
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

func newCalls() *calls {
	ctx, cancel := context.WithCancel(context.Background())
	return &calls{ctx: ctx, cancel: cancel}
}

func (c *calls) start(f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.group.Go(f)
	return nil
}

func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.group.Wait()
}
