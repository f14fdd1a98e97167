package m2mtest

import (
	"net/http"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// window counts the calls of one credential in one period.
type window struct {
	began time.Time
	calls int
}

// limit refuses a call that is over the rate limit.
func (s *Server) limit(op *generated.Operation, by principal) *refusal {
	if s.rateLimit == 0 || op.ID == generated.OpGetJWKS.ID {
		return nil
	}
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.rate[by.machineID]
	if w == nil || now.Sub(w.began) >= s.ratePer || now.Before(w.began) {
		w = &window{began: now}
		s.rate[by.machineID] = w
	}
	w.calls++
	if w.calls <= s.rateLimit {
		return nil
	}
	return tooManyRequests(s.ratePer - now.Sub(w.began))
}

func tooManyRequests(after time.Duration) *refusal {
	r := refuse(http.StatusTooManyRequests, "too_many_requests", "Too many requests", "The secret key has made too many calls; come back later.")
	r.retryAfter = after
	return r
}
