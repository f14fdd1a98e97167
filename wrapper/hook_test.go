package wrapper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

type ctxKey struct{}

// watched is a call that a hook and a logger watch.
type watched struct {
	attempts []wrapper.Attempt
	log      bytes.Buffer
}

func (w *watched) options(t *testing.T, level slog.Level) []wrapper.Option {
	return []wrapper.Option{
		wrapper.WithAttemptHook(func(ctx context.Context, a wrapper.Attempt) {
			if ctx.Value(ctxKey{}) != "caller's" {
				t.Error("the hook is not given the context of the call")
			}
			w.attempts = append(w.attempts, a)
		}),
		wrapper.WithLogger(slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: level}))),
	}
}

// lines gives the log, decoded.
func (w *watched) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(w.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// The hook is told of each attempt with what came of it, and the log has the same.
func TestAttemptHookAndLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(
			answer(503, `{"errors":[],"clerk_trace_id":"trace1"}`, "Retry-After", "2"),
			answer(429, "slow down", "Cf-Ray", "ray2", "Content-Type", "text/plain"),
			reset,
			answer(200, proof(generated.OpGetMachine), "Cf-Ray", "ray4"),
		)
		w := new(watched)
		client := f.offline(t, append(w.options(t, slog.LevelDebug), wrapper.WithMaxRetries(3))...)
		ctx := context.WithValue(t.Context(), ctxKey{}, "caller's")
		start := time.Now()
		if _, err := client.Machines.Get(ctx, anID); err != nil {
			t.Fatal(err)
		}
		var waited time.Duration
		for i, want := range []struct {
			status int
			trace  string
			err    bool
		}{{503, "trace1", false}, {429, "ray2", false}, {0, "", true}, {200, "ray4", false}} {
			a := w.attempts[i]
			waited += a.Retry
			if a.Operation != "GetMachine" || a.Number != i+1 || a.Status != want.status || a.TraceID != want.trace || (a.Err != nil) != want.err || (a.Retry == 0) != (i == 3) {
				t.Errorf("attempt %d is %+v", i+1, a)
			}
			line := w.lines(t)[i]
			level, message := "WARN", "clerk call failed"
			if want.status == 200 {
				level, message = "DEBUG", "clerk call"
			}
			_, hasErr := line["error"]
			_, hasRetry := line["retry_in"]
			if line["level"] != level || line["msg"] != message || line["operation"] != "GetMachine" || line["attempt"] != float64(i+1) ||
				line["status"] != float64(want.status) || line["trace_id"] != want.trace || hasErr != want.err || hasRetry != (i < 3) {
				t.Errorf("line %d is %v", i+1, line)
			}
		}
		if len(w.attempts) != 4 || len(w.lines(t)) != 4 {
			t.Errorf("%d attempts, %d lines", len(w.attempts), len(w.lines(t)))
		}
		if w.attempts[0].Retry < 2*time.Second || waited != time.Since(start) {
			t.Errorf("the hook was told of %s of waiting, and the call took %s", waited, time.Since(start))
		}
	})
}

// A call that its caller ends is no failure of Clerk's, and refusals are the caller's to judge: neither is warned of.
func TestWhatIsNotWarnedOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := new(watched)
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), ctxKey{}, "caller's"), time.Second)
		defer cancel()
		f := newFake(answer(404, `{}`), hang)
		client := f.offline(t, w.options(t, slog.LevelWarn)...)
		for range 2 {
			_, _ = client.Machines.Get(ctx, anID)
		}
		if len(w.attempts) != 2 || w.attempts[0].Status != 404 || !errors.Is(w.attempts[1].Err, context.DeadlineExceeded) || w.attempts[1].Duration != time.Second {
			t.Errorf("the attempts are %+v", w.attempts)
		}
		if w.log.Len() != 0 {
			t.Errorf("the log is %s", w.log.String())
		}
	})
}

// What is refused before it is sent is no attempt.
func TestNoAttemptWithoutARequest(t *testing.T) {
	t.Parallel()
	w := new(watched)
	client := newFake().bare(t, w.options(t, slog.LevelDebug)...)
	_, credential := client.Keys.JWKS(t.Context())
	_, id := client.Machines.Get(t.Context(), "..")
	if credential == nil || id == nil || len(w.attempts) != 0 || w.log.Len() != 0 {
		t.Errorf("attempts %v, log %s", fmt.Sprint(w.attempts), w.log.String())
	}
}
