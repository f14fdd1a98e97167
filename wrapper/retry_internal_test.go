package wrapper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// retryCase is a decision whether to send a request again.
type retryCase struct {
	status      int
	err         error
	safe, other bool // for an operation that is retry-safe, and for another
}

func (c retryCase) run(t *testing.T) {
	for safe, want := range map[bool]bool{true: c.safe, false: c.other} {
		if got := retryable(&generated.Operation{RetrySafe: safe}, c.status, c.err); got != want {
			t.Errorf("status %d, error %v, retry-safe %t: %t", c.status, c.err, safe, got)
		}
	}
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	broken := fmt.Errorf("%w: the reply broke off: %w", ErrUnavailable, io.ErrUnexpectedEOF)
	for _, c := range []retryCase{
		{200, nil, false, false},
		{201, nil, false, false},
		{302, nil, false, false},
		{400, nil, false, false},
		{401, nil, false, false},
		{404, nil, false, false},
		{408, nil, false, false},
		{409, nil, false, false},
		{422, nil, false, false},
		{429, nil, true, true},
		{500, nil, true, false},
		{502, nil, true, false},
		{503, nil, true, false},
		{504, nil, true, false},
		{0, io.EOF, true, false},
		{0, context.DeadlineExceeded, true, false},
		{200, broken, true, false},
		{201, broken, true, false},
		{200, errReplyTooLarge, false, false},
	} {
		c.run(t)
	}
}

func TestReplayable(t *testing.T) {
	t.Parallel()
	again := func() (io.ReadCloser, error) { return http.NoBody, nil }
	body := io.NopCloser(errReader{})
	for _, test := range []struct {
		req  http.Request
		want bool
	}{
		{http.Request{}, true},
		{http.Request{Body: http.NoBody}, true},
		{http.Request{Body: body, GetBody: again}, true},
		{http.Request{Body: body}, false},
	} {
		if got := replayable(&test.req); got != test.want {
			t.Errorf("body %v, GetBody %t: %t", test.req.Body, test.req.GetBody != nil, got)
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("read twice") }

// backoffCase is a decision how long to wait, with the least and the most that chance can make of it.
type backoffCase struct {
	attempt     int
	after       time.Duration
	least, most time.Duration
	again       bool
}

func (c backoffCase) run(t *testing.T) {
	for want, random := range map[time.Duration]func(int64) int64{
		c.least: func(int64) int64 { return 0 },
		c.most:  func(n int64) int64 { return n - 1 },
	} {
		if got, again := backoff(c.attempt, c.after, random); got != want || again != c.again {
			t.Errorf("attempt %d, Retry-After %s: %s, %t, want %s", c.attempt, c.after, got, again, want)
		}
	}
	for range 100 {
		if got, _ := backoff(c.attempt, c.after, random); got < c.least || got > c.most {
			t.Errorf("attempt %d, Retry-After %s: %s is not from %s to %s", c.attempt, c.after, got, c.least, c.most)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	for _, c := range []backoffCase{
		{0, 0, 0, 200 * ms, true},
		{1, 0, 0, 400 * ms, true},
		{4, 0, 0, 3200 * ms, true},
		{5, 0, 0, 5 * s, true},
		{1000, 0, 0, 5 * s, true},
		{0, 3 * s, 3 * s, 3*s + 50*ms, true},
		{9, 30 * s, 30 * s, 31*s + 250*ms, true},
		{0, 30*s + 1, 0, 0, false},
		{0, 1 << 62, 0, 0, false},
	} {
		c.run(t)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                                 0,
		"0":                                0,
		"7":                                7 * time.Second,
		" 7 ":                              7 * time.Second,
		"-7":                               0,
		"+7":                               0,
		"7.5":                              0,
		"7s":                               0,
		"soon":                             0,
		"2147483647":                       2147483647 * time.Second,
		"99999999999999999999":             2147483647 * time.Second,
		"Tue, 12 May 2026 10:01:00 GMT":    time.Minute,
		"Tuesday, 12-May-26 10:01:00 GMT":  time.Minute,
		"Tue May 12 10:01:00 2026":         time.Minute,
		"Tue, 12 May 2026 09:59:00 GMT":    0,
		"Tue, 12 May 2026 10:01:00 +0200":  0,
		"Wed, 12 May 2026 10:01:00 GMT, 7": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", value, got, want)
		}
	}
	if got := retryAfter(http.Header{}, now); got != 0 {
		t.Errorf("no Retry-After: %s", got)
	}
}
