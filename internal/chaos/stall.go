package main

import (
	"context"
	"sync/atomic"
	"time"
)

// stalls measures for how long a goroutine that only sleeps was kept from running: what a busy machine adds to every
// wait, and the module cannot help. It holds no lock, so that no lock can be its excuse.
type stalls struct{ total atomic.Int64 }

const (
	stallTick = 20 * time.Millisecond
	// slack is what may be added to a wait besides.
	slack = 2 * time.Second
)

func (s *stalls) watch(ctx context.Context) {
	for ctx.Err() == nil {
		start := time.Now()
		time.Sleep(stallTick)
		if late := time.Since(start) - stallTick; late > stallTick {
			s.total.Add(int64(late))
		}
	}
}

// soFar is how long the stalls were altogether.
func (s *stalls) soFar() time.Duration { return time.Duration(s.total.Load()) }
