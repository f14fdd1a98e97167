package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// kind is a fault, or an event that a deployment has to live through.
type kind string

const (
	// Answers of Clerk that are spoiled, by m2mtest.
	latency         kind = "latency beyond the attempt timeout"
	resets          kind = "connections reset instead of an answer"
	lostAnswers     kind = "calls that take effect and whose answer is lost"
	truncated       kind = "bodies that end halfway"
	wrongBody       kind = "bodies of the wrong type"
	emptyObject     kind = "bodies of the right type without content"
	rateLimit       kind = "429 with Retry-After"
	serverErrors    kind = "5xx for five minutes of the clock"
	keysUnavailable kind = "5xx for the key set alone"

	// The network, by the proxy and the dialer.
	slowNetwork kind = "network latency"
	midBody     kind = "resets in the middle of an answer"
	halfOpen    kind = "half-open connections"
	blackHole   kind = "half-open connections that outlive the fault"
	refused     kind = "connections refused"
	noDNS       kind = "names that do not resolve"

	// Events.
	keysRotated    kind = "signing keys rotated, the old one kept"
	keysReplaced   kind = "signing keys rotated, the old one dropped"
	callerRotated  kind = "the caller's secret rotated with grace"
	callerReplaced kind = "the caller's secret rotated without grace"
	calleeRotated  kind = "the callee's secret rotated with grace"
	calleeReplaced kind = "the callee's secret rotated without grace"
	tokenRevoked   kind = "a live token revoked"
	clockForward   kind = "all clocks jump forward"
	clockBack      kind = "the caller's clock set back a little, and put right"
	calleeClockOff kind = "the callee's clock off within the skew"
)

var kinds = []kind{
	latency, resets, lostAnswers, truncated, wrongBody, emptyObject, rateLimit, serverErrors, keysUnavailable,
	slowNetwork, midBody, halfOpen, blackHole, refused, noDNS,
	keysRotated, keysReplaced, callerRotated, callerReplaced, calleeRotated, calleeReplaced, tokenRevoked,
	clockForward, clockBack, calleeClockOff,
}

// backgrounds may be going on while another phase is under way.
var backgrounds = []kind{latency, resets, lostAnswers, truncated, rateLimit, slowNetwork, midBody}

// phase is one part of a run: faults, their strength, and how long they last.
type phase struct {
	number     int
	kind       kind
	background kind    // "" for none
	p          float64 // from 0 to 1: how bad it is
	lasts      time.Duration
	sleeps     bool // whether the recovery is waited for, rather than reached by a jump of the clock
}

func (p phase) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "phase %d: %s", p.number, p.kind)
	if p.background != "" {
		fmt.Fprintf(&b, "; and %s", p.background)
	}
	fmt.Fprintf(&b, " (strength %.2f, %s)", p.p, p.lasts.Round(time.Millisecond))
	return b.String()
}

// schedule deals phases without end. The same seed deals the same ones.
type schedule struct {
	random *rand.Rand
	dealt  int
	deck   []kind
}

func newSchedule(seed uint64) *schedule {
	return &schedule{random: rand.New(rand.NewPCG(seed, 0))}
}

// next gives the next phase: all kinds come once, in a random order, before any comes again. Those of the first round
// come alone and briefly, so that a short run sees them all; later ones are longer and come in pairs, too.
func (s *schedule) next() phase {
	if len(s.deck) == 0 {
		s.deck = append(s.deck, kinds...)
		s.random.Shuffle(len(s.deck), func(i, j int) { s.deck[i], s.deck[j] = s.deck[j], s.deck[i] })
	}
	p := phase{number: s.dealt + 1, kind: s.deck[0], p: s.random.Float64()}
	first := s.dealt < len(kinds)
	s.deck, s.dealt = s.deck[1:], s.dealt+1

	// All numbers are drawn whether they are used or not, so that the rest does not depend on it.
	background, alone := backgrounds[s.random.IntN(len(backgrounds))], s.random.IntN(2) == 0
	stretch, waits := s.random.Float64(), s.random.IntN(6) == 0
	if first {
		p.lasts = 300*time.Millisecond + time.Duration(stretch*float64(200*time.Millisecond))
		return p
	}
	p.lasts = time.Second + time.Duration(stretch*float64(3*time.Second))
	p.sleeps = waits
	// A verification that outlasts the revocation may be shared afterwards: nothing may draw it out.
	if !alone && background != p.kind && p.kind != tokenRevoked {
		p.background = background
	}
	return p
}
