package wrapper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

const (
	// maxReply is the largest body that is read. The largest honest one is a page of 500 machines.
	maxReply = 8 << 20
	// maxRefusal is as much as is read of a reply that is not a success.
	maxRefusal = 64 << 10
)

var (
	errReplyTooLarge = fmt.Errorf("%w: it is larger than %d MiB; ask for fewer on a page", ErrInvalidReply, maxReply>>20)
	errNoOperation   = errors.New("clerk: the request is none of the spec's operations")
	errOtherHost     = errors.New("clerk: an editor sent the request to another host than the base URL's")
)

// doer is what the generated client sends its requests through. It decides the credential, bounds each attempt,
// repeats what may be repeated and reads the whole reply.
type doer struct {
	client  *http.Client
	base    *url.URL
	router  router
	keys    *keys
	headers http.Header // set where the request does not set them
	retries int
	timeout time.Duration
	log     *slog.Logger
	hook    func(context.Context, Attempt)
}

// Attempt describes one attempt at a call, for metrics and traces; see [WithAttemptHook].
type Attempt struct {
	Operation string        // the operationId
	Number    int           // 1 for the first attempt
	Status    int           // the HTTP status; 0 when no reply came
	Duration  time.Duration // from sending to the end of the reply
	TraceID   string        // names the request to Clerk's support, where the reply says
	Err       error         // why no reply came; it holds no credential
	Retry     time.Duration // how long is waited before the next attempt; 0 when this is the last
}

// Do implements generated.HttpRequestDoer. Any status is a response; an error of a request that was sent is an
// [*APIError].
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	op, err := d.prepare(req)
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	for number := 1; ; number++ {
		start := time.Now()
		resp, body, err := d.attempt(req, number)
		attempt := Attempt{Operation: op.ID, Number: number, Duration: time.Since(start), Err: err}
		var after time.Duration
		if resp != nil {
			attempt.Status = resp.StatusCode
			attempt.TraceID = traceID(resp, errorBody(resp, body))
			after = retryAfter(resp.Header, time.Now())
		}
		wait, again := time.Duration(0), false
		if number <= d.retries && retryable(op, attempt.Status, err) && replayable(req) && ctx.Err() == nil {
			wait, again = backoff(number-1, after, random)
			if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
				again = false
			}
		}
		if again {
			attempt.Retry = wait
		}
		d.report(ctx, attempt)
		if again {
			if err = sleep(ctx, wait); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, &APIError{Operation: op.ID, Status: attempt.Status, TraceID: attempt.TraceID, RetryAfter: after, Err: err}
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil
	}
}

// prepare checks a request as editors left it and gives it what it lacks.
func (d *doer) prepare(req *http.Request) (*generated.Operation, error) {
	if req.URL.Scheme != d.base.Scheme || req.URL.Host != d.base.Host {
		return nil, errOtherHost
	}
	op, err := d.router.find(req.Method, req.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	if op == nil {
		return nil, errNoOperation
	}
	by, _ := req.Context().Value(presentedKey{}).(presented)
	header, err := authorization(op, req.Header.Get("Authorization"), by, *d.keys)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", header)
	for name, values := range d.headers {
		if _, set := req.Header[name]; !set {
			req.Header[name] = values
		}
	}
	return op, nil
}

// attempt sends a request once and reads the whole reply within the attempt's timeout.
func (d *doer) attempt(req *http.Request, number int) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(req.Context(), d.timeout)
	defer cancel()
	r := req.WithContext(ctx)
	if number > 1 && req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, nil, fmt.Errorf("reading the request's body again: %w", err)
		}
		r.Body = body
	}
	resp, err := d.client.Do(r)
	if err != nil {
		return nil, nil, d.cause(req.Context(), err)
	}
	defer resp.Body.Close()
	resp.Request = req // a RoundTripper may leave it out, and redact needs it
	limit := int64(maxReply)
	if resp.StatusCode >= 300 {
		limit = maxRefusal
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode >= 300:
		// The status says enough, whatever came of the body.
	case err != nil:
		return resp, body, fmt.Errorf("%w: the reply broke off: %w", ErrUnavailable, d.cause(req.Context(), err))
	case len(body) > maxReply:
		return resp, body, errReplyTooLarge
	}
	return resp, body, nil
}

// replayable tells whether the body of a request can be sent again.
func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// cause tells the attempt's own timeout from the caller's. The URL is left out of it: whoever gives a token where its
// id belongs has it in there.
func (d *doer) cause(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("no reply within %s: %w", d.timeout, err)
	}
	return err
}

func (d *doer) report(ctx context.Context, a Attempt) {
	if d.hook != nil {
		d.hook(ctx, a)
	}
	level, message := slog.LevelDebug, "clerk call"
	if a.Status == http.StatusTooManyRequests || a.Status >= 500 || a.Err != nil && ctx.Err() == nil {
		level, message = slog.LevelWarn, "clerk call failed"
	}
	if !d.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", a.Operation), slog.Int("attempt", a.Number), slog.Int("status", a.Status),
		slog.Duration("duration", a.Duration), slog.String("trace_id", a.TraceID),
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Err.Error()))
	}
	if a.Retry > 0 {
		attrs = append(attrs, slog.Duration("retry_in", a.Retry))
	}
	d.log.LogAttrs(ctx, level, message, attrs...)
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// secure tells whether a URL keeps what is sent to it from others: https, or http that stays on this machine.
func secure(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return u.Scheme == "http" && (strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback())
}
