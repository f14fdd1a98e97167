package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// strike begins a fault, and gives what happens in the middle of it and at its end. Either may be nil. In the middle of
// faults tokens come to their renewal, or die, so that they are minted while it is hard.
func (w *world) strike(k kind, p float64) (middle, end func() error) {
	often := 0.3 + 0.7*p // of calls
	after := time.Duration(1+p) * time.Second
	fault := func(all ...m2mtest.Fault) {
		w.clerk.Faults(all...)
		middle = w.pass(renewalPeriod + time.Duration(p*float64(tokenLifetime)))
	}
	shape := func(n network, cut bool) {
		w.proxy.set(n, cut)
		middle = w.pass(renewalPeriod + time.Duration(p*float64(tokenLifetime)))
	}
	switch k {
	case latency:
		fault(m2mtest.Fault{Probability: often, Latency: 2 * attemptTimeout})
	case resets:
		fault(m2mtest.Fault{Probability: often, Reset: true})
	case lostAnswers:
		fault(m2mtest.Fault{Probability: often, Reset: true, AfterEffect: true})
	case truncated:
		fault(m2mtest.Fault{Probability: often, Truncate: true})
	case wrongBody:
		fault(m2mtest.Fault{Probability: often, Body: "<html><h1>It works!</h1>", ContentType: "text/html"})
	case emptyObject:
		fault(m2mtest.Fault{Probability: often, Body: "{}"})
	case rateLimit:
		fault(m2mtest.Fault{Probability: often, Status: http.StatusTooManyRequests, RetryAfter: min(after, maxRetryAfter)})
	case serverErrors:
		fault(m2mtest.Fault{Probability: often / 3, Status: 500}, m2mtest.Fault{Probability: often / 2, Status: 502, Body: "<html>", ContentType: "text/html"},
			m2mtest.Fault{Probability: often, Status: 503, RetryAfter: min(after, maxRetryAfter)})
		middle = w.pass(5 * time.Minute)
	case keysUnavailable:
		fault(m2mtest.Fault{Operation: "GetJWKS", Status: 503})
		middle = w.pass(5 * time.Minute)

	case slowNetwork:
		shape(network{latency: time.Duration(p * float64(attemptTimeout))}, false)
	case midBody:
		shape(network{resetAfter: 1 + int(p*400)}, false)
	case halfOpen, blackHole:
		shape(network{halfOpen: true}, false)
	case refused:
		shape(network{refuse: true}, true)
	case noDNS:
		w.dnsFails.Store(true)
		shape(network{}, true) // cut, so that names are asked for

	case keysRotated:
		w.rotateKeys()
	case keysReplaced:
		w.rotateKeys()
		w.disrupt(func() {
			w.ledger.doubt(func(t *minted) bool { return strings.HasPrefix(t.token, "eyJ") })
			w.clerk.DropOldKeys()
		})
	case callerRotated:
		return nil, w.rotate(w.orders.ID, time.Hour, w.setOrdersKey)
	case callerReplaced:
		// The old secret mints no more; the token lives on, then dies.
		end := w.rotate(w.orders.ID, 0, w.setOrdersKey)
		return w.pass(time.Duration(p * float64(2*tokenLifetime))), end
	case calleeRotated:
		return nil, w.rotate(w.billing.ID, time.Hour, w.setBillingKey)
	case calleeReplaced:
		return nil, w.rotate(w.billing.ID, 0, w.setBillingKey)
	case tokenRevoked:
		return w.revoke, nil

	case clockForward:
		w.advance(time.Duration(float64(10*time.Second) + p*p*float64(90*time.Minute)))
	case clockBack:
		// Clerk's own is not: it refuses JWTs that it will have signed.
		by := int64(p * float64(maxSetBack))
		w.disrupt(func() { w.callerOff.Add(by) })
		return w.pass(renewalPeriod), func() error { w.disrupt(func() { w.callerOff.Add(-by) }); return nil }
	case calleeClockOff:
		w.disrupt(func() { w.calleeOff.Store(int64((2*p - 1) * float64(maxClockOff))) })
		return nil, func() error { w.disrupt(func() { w.calleeOff.Store(0) }); return nil }
	}
	return middle, nil
}

// lift ends all faults of the backend and the network. Connections that hang are cut, but for those of a black hole.
func (w *world) lift(p phase) {
	w.clerk.ClearFaults()
	w.dnsFails.Store(false)
	w.proxy.set(network{}, p.kind != blackHole)
}

// advance moves all clocks. Tokens die of it.
func (w *world) advance(d time.Duration) { w.disrupt(func() { w.clerk.Advance(d) }) }

func (w *world) pass(d time.Duration) func() error {
	return func() error { w.advance(d); return nil }
}

// rotateKeys makes a new signing key. An authenticator looks for an unknown key at most every 30 s, so that somebody
// who makes key ids up can keep it from a new one for so long: the clock is moved beyond that.
func (w *world) rotateKeys() {
	w.disrupt(func() {
		w.clerk.RotateKeys()
		w.clerk.Advance(31 * time.Second)
	})
}

func (w *world) setOrdersKey(key string)  { w.setKey(&w.ordersKey, key) }
func (w *world) setBillingKey(key string) { w.setKey(&w.billingKey, key) }

// rotate gives a machine a new secret key, and gives how its service is told.
func (w *world) rotate(id string, grace time.Duration, tell func(key string)) func() error {
	key, err := w.admin.Machines.RotateSecretKey(context.Background(), id, wrapper.RotateMachineSecretKeyParams{PreviousTokenTTL: int64(grace / time.Second)})
	return func() error {
		if err == nil {
			tell(string(key))
		}
		return err
	}
}

// revoke revokes the opaque token that is in use, and presents it afterwards.
func (w *world) revoke() error {
	for _, s := range w.sources {
		token, ok := w.ledger.current(s.name)
		if !ok || !strings.HasPrefix(token.token, "mt_") {
			continue
		}
		var err error
		w.disrupt(func() {
			w.ledger.doubt(func(t *minted) bool { return t.token == token.token })
			_, err = w.admin.M2MTokens.Revoke(context.Background(), token.id, wrapper.RevokeM2MTokenParams{}, wrapper.SecretKey(w.clerk.SecretKey()))
		})
		if err != nil {
			return err
		}
		w.log.Debug("revoked", "token", token.id)
		// A verification that was under way at that moment may be shared by those who come while it is.
		time.Sleep(2 * attemptTimeout)
		for _, c := range w.callees {
			w.tryBad(keysBound, bad{"opaque, revoked in use", func() string { return token.token }}, c)
		}
	}
	return nil
}

// recover checks that a renewal period after the faults the first request of every good caller succeeds.
func (w *world) recover(p phase) time.Duration {
	start := time.Now()
	if !p.sleeps {
		w.advance(renewalPeriod)
	}
	for _, g := range w.goods() {
		var last answer
		ok := false
		for !ok && time.Since(start) < w.patience {
			last = w.tryGood(callBound, g)
			if ok = last.status == http.StatusOK; !ok {
				time.Sleep(20 * time.Millisecond)
			}
		}
		w.ledger.check(recovers, ok, "%s: %s at %q is still told %d, %v", p, g.name, g.callee.name, last.status, last.err)
	}
	return time.Since(start)
}

func (w *world) endPhase(ends []func() error) error {
	var all error
	for _, end := range ends {
		if end != nil {
			all = errors.Join(all, end())
		}
	}
	if all != nil {
		return fmt.Errorf("ending a fault: %w", all)
	}
	return nil
}
