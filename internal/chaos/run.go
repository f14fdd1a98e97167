package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/goleak"
)

// options say what is run.
type options struct {
	seed     uint64
	duration time.Duration
	workers  int
	out      io.Writer
	// patience is how long a recovery may take; 0 is a renewal period.
	patience time.Duration
	// sabotage breaks the world before the run, to see that it is noticed.
	sabotage func(w *world)
}

// result is what a run found.
type result struct {
	phases     int
	kinds      map[kind]int
	slowest    time.Duration // of the recoveries
	ledger     *ledger
	stalled    time.Duration // how long the machine kept a goroutine from running, altogether
	lines      int           // of the log
	created    int           // tokens, as the backend bills them
	violations []string
}

// run lets traffic flow through a schedule of faults and checks the invariants. The error is of the run itself.
func run(o options) (r *result, err error) {
	start := time.Now()
	before := goleak.IgnoreCurrent()
	w, err := newWorld(o.seed)
	if err != nil {
		return nil, err
	}
	w.patience = renewalPeriod
	if o.patience > 0 {
		w.patience = o.patience
	}
	if o.sabotage != nil {
		o.sabotage(w)
	}
	r = &result{kinds: make(map[kind]int), ledger: w.ledger}
	ctx, stop := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for i := range o.workers {
		random := rand.New(rand.NewPCG(o.seed, uint64(i)+1))
		workers.Go(func() { w.traffic(ctx, random) })
	}
	workers.Go(func() { w.stalls.watch(ctx) })
	s := newSchedule(o.seed)
	for err == nil && (r.phases == 0 || time.Since(start) < o.duration) {
		p := s.next()
		var took time.Duration
		if took, err = w.phase(p); err == nil {
			r.phases++
			r.kinds[p.kind]++
			r.slowest = max(r.slowest, took)
			w.sweep()
			w.ledger.forget(w.clerk.Now())
			fmt.Fprintf(o.out, "%7s %s: recovered in %s, %d violations\n", time.Since(start).Round(100*time.Millisecond), p, took.Round(time.Millisecond), len(w.ledger.violations))
		}
	}
	stop()
	workers.Wait()
	w.sweep()
	r.created = w.clerk.Cost().M2MTokensCreated
	connections := w.close()
	w.ledger.check(noLeak, connections == 0, "%d connections to the backend are still open", connections)
	bodies := w.ledger.bodies.Load()
	w.ledger.check(noLeak, bodies == 0, "%d bodies were not closed", bodies)
	leaked := goleak.Find(before)
	w.ledger.check(noLeak, leaked == nil, "%v", leaked)
	for _, found := range w.logged.find(w.ledger.allSecrets()) {
		w.ledger.check(noLeak, false, "the log holds %s", found)
	}
	w.ledger.check(noLeak, w.logged.lines > 0, "nothing was logged")
	r.lines, r.stalled = w.logged.lines, w.stalls.soFar()
	r.violations = w.ledger.violations
	return r, err
}

// phase lives through one part of the schedule, and gives how long the recovery took.
func (w *world) phase(p phase) (time.Duration, error) {
	w.log.Info("phase", "phase", p.String())
	var middles, ends []func() error
	for _, k := range []kind{p.kind, p.background} {
		middle, end := w.strike(k, p.p)
		middles, ends = append(middles, middle), append(ends, end)
	}
	time.Sleep(p.lasts / 2)
	if err := w.endPhase(middles); err != nil {
		return 0, err
	}
	time.Sleep(p.lasts / 2)
	w.lift(p)
	if err := w.endPhase(ends); err != nil {
		return 0, err
	}
	return w.recover(p), nil
}

// sweep checks what can be checked of the books between phases.
func (w *world) sweep() {
	created := w.clerk.Cost().M2MTokensCreated
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkLocked(mintedOnce, created <= l.delivered+l.uncertain, "%d tokens were created, %d delivered, and %d attempts may have created one", created, l.delivered, l.uncertain)
	l.checkLocked(mintedOnce, l.delivered <= created, "%d tokens were delivered and only %d created", l.delivered, created)
	l.checkLocked(mintedOnce, l.arrived <= l.attempts+len(w.sources), "%d creations reached Clerk, and only %d were sent", l.arrived, l.attempts)
}

func (r *result) print(out io.Writer) {
	l := r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(out, "\n%d phases of %d kinds; the slowest recovery took %s; the machine stalled for %s altogether\n",
		r.phases, len(r.kinds), r.slowest.Round(time.Millisecond), r.stalled.Round(time.Millisecond))
	fmt.Fprintf(out, "tokens: %d created by %d attempts, %d delivered, %d attempts repeated after 429, %d uncertain\n",
		r.created, l.attempts, l.delivered, l.repeated, l.uncertain)
	fmt.Fprintf(out, "log: %d lines searched for %d secrets and tokens\n", r.lines, len(l.secrets))
	for _, what := range slices.Sorted(maps.Keys(l.counts)) {
		fmt.Fprintf(out, "%8d %s\n", l.counts[what], what)
	}
	fmt.Fprintln(out, "invariants, with how often each was checked:")
	for _, invariant := range []string{noWrongSignIn, noWrongDenial, mintedOnce, noLongWait, recovers, noLeak} {
		fmt.Fprintf(out, "%8d %s\n", l.checks[invariant], invariant)
	}
	for _, v := range r.violations {
		fmt.Fprintln(out, "VIOLATION", v)
	}
	fmt.Fprintf(out, "%d violations\n", len(r.violations)+l.lost)
}
