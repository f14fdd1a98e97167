package wrapper

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

const (
	// DefaultMaxRetries is how many times a call is tried again unless [WithMaxRetries] says otherwise.
	DefaultMaxRetries = 2
	// DefaultAttemptTimeout is how long one attempt may take unless [WithAttemptTimeout] says otherwise.
	DefaultAttemptTimeout = 5 * time.Second
	// MaxRetryAfter is the longest Retry-After that a call waits out. When Clerk asks for more, the call fails at once
	// and its APIError says how long.
	MaxRetryAfter = 30 * time.Second

	backoffBase = 200 * time.Millisecond
	backoffMax  = 5 * time.Second
)

// retryable decides whether a call may be repeated after an attempt that gave this status (0 when no reply came) and
// error.
func retryable(op *generated.Operation, status int, err error) bool {
	switch {
	case errors.Is(err, ErrInvalidReply):
		return false
	case status == http.StatusTooManyRequests:
		return true // refused before it had an effect
	case err != nil, status >= 500:
		return op.RetrySafe
	}
	return false
}

// backoff decides how long to wait before the next attempt: exponential with full jitter, and not before Clerk's
// Retry-After. It is false when that is longer than a call should wait.
func backoff(attempt int, retryAfter time.Duration, random func(n int64) int64) (time.Duration, bool) {
	if retryAfter > MaxRetryAfter {
		return 0, false
	}
	ceiling := min(backoffMax, backoffBase<<min(attempt, 10))
	wait := time.Duration(random(int64(ceiling) + 1))
	if retryAfter > 0 {
		// Clients that were told the same moment do not all come at it.
		wait = retryAfter + wait/4
	}
	return wait, true
}

func random(n int64) int64 { return rand.Int64N(n) }

// retryAfter reads a Retry-After header, seconds or an HTTP date (RFC 9110, section 10.2.3); 0 where there is none
// that can be read.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
