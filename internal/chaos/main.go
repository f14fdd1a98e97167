// Command chaos drives the client, the token source, its transport and the authenticator together through a schedule
// of faults, and checks after every step what must hold: nobody is signed in who should not be, no good caller is
// refused, no token is created twice, nobody waits too long, all recovers, and nothing leaks.
//
// The schedule follows from the seed, which is printed. Faults are real: on loopback, by m2mtest and by a TCP proxy in
// front of it. Timeouts are scaled down, and minutes pass by moving the clocks. The tests of this package run what
// needs full-length waits in virtual time.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

func main() {
	duration := flag.Duration("duration", 10*time.Minute, "how long to go on; the phase that is under way is finished")
	seed := flag.Uint64("seed", rand.Uint64N(1<<32), "the seed of the schedule; random unless given")
	workers := flag.Int("workers", 12, "how many callers there are at the same time")
	flag.Parse()
	fmt.Printf("seed %d\n", *seed)
	r, err := run(options{seed: *seed, duration: *duration, workers: *workers, out: os.Stdout})
	if r != nil {
		r.print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(r.violations) > 0 {
		fmt.Printf("run it again with -seed %d -duration %s\n", *seed, *duration)
		os.Exit(1)
	}
}
