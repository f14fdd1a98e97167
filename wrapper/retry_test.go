package wrapper_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// The spec says what may be sent twice: every operation is given every fault, and then succeeds.
func TestRetriesFollowTheSpec(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name    string
		answer  http.HandlerFunc
		always  bool // whatever the spec says
		inReply bool // the fault is in a reply
	}{
		{"429", answer(429, problemBody), true, true},
		{"500", answer(500, problemBody), false, true},
		{"502", answer(502, "<html>", "Content-Type", "text/html"), false, true},
		{"503", answer(503, ""), false, true},
		{"reset", reset, false, false},
		{"timeout", hang, false, false},
	} {
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, op := range generated.Operations() {
					f := newFake(fault.answer, fault.answer, ok(op))
					err := perform(t, op, f.offline(t), anID)
					sent := f.requests(t)
					n := len(sent)
					for _, s := range sent {
						if s.Body != sent[0].Body || s.URI != sent[0].URI || s.Header.Get("Authorization") != sent[0].Header.Get("Authorization") {
							t.Errorf("%s: sent %+v, and then %+v", op.ID, sent[0], s)
						}
					}
					if op.RetrySafe || fault.always {
						if n != 3 || err != nil {
							t.Errorf("%s: sent %d times, and then %v", op.ID, n, err)
						}
						continue
					}
					e, is := errors.AsType[*wrapper.APIError](err)
					if n != 1 || !is || (e.Status != 0) != fault.inReply || !errors.Is(err, wrapper.ErrUnavailable) {
						t.Errorf("%s: sent %d times, and then %v", op.ID, n, err)
					}
				}
			})
		})
	}
}

const problemBody = `{"errors":[{"code":"a_code","message":"short","long_message":"at length"}]}`

func TestWhatIsNeverRetried(t *testing.T) {
	t.Parallel()
	for _, op := range generated.Operations() {
		for name, a := range map[string]http.HandlerFunc{
			"400":      answer(400, problemBody),
			"401":      answer(401, problemBody, "Retry-After", "1"),
			"404":      answer(404, problemBody),
			"409":      answer(409, problemBody),
			"302":      answer(302, "", "Location", "/"),
			"unproven": answer(op.Status, `{}`),
			"204":      answer(204, ""),
		} {
			f := newFake(a)
			if err := perform(t, op, f.offline(t), anID); err == nil || len(f.requests(t)) != 1 {
				t.Errorf("%s, %s: sent %d times, and then %v", op.ID, name, len(f.requests(t)), err)
			}
		}
	}
}

func TestMaxRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for opts, want := range map[*[]wrapper.Option]int{
			{}:                          1 + wrapper.DefaultMaxRetries,
			{wrapper.WithMaxRetries(0)}: 1,
			{wrapper.WithMaxRetries(7)}: 8,
			{wrapper.WithMaxRetries(7), wrapper.WithMaxRetries(1)}: 2,
		} {
			f := newFake(answer(503, problemBody))
			start := time.Now()
			err := perform(t, generated.OpGetJWKS, f.offline(t, *opts...), anID)
			if n := len(f.requests(t)); n != want || !errors.Is(err, wrapper.ErrUnavailable) {
				t.Errorf("sent %d times, want %d: %v", n, want, err)
			}
			if most := time.Duration(want-1) * 5 * time.Second; time.Since(start) > most {
				t.Errorf("the call took %s", time.Since(start))
			}
		}
	})
}

// waitCase is a call to which Clerk answers once with a fault, and then with a success.
type waitCase struct {
	name        string
	fault       http.HandlerFunc
	deadline    time.Duration // of the caller; 0 for none
	least, most time.Duration // of the call
	sent        int
	is          error // nil: a success
}

func (c waitCase) run(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		if c.deadline > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, c.deadline)
			defer cancel()
		}
		f := newFake(c.fault, ok(generated.OpCreateM2MToken))
		start := time.Now()
		_, err := f.offline(t).M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{})
		if took := time.Since(start); took < c.least || took > c.most {
			t.Errorf("the call took %s, want %s to %s", took, c.least, c.most)
		}
		if n := len(f.requests(t)); n != c.sent || !errors.Is(err, c.is) {
			t.Errorf("sent %d times, and then %v", n, err)
		}
	})
}

func TestWaits(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	limited := wrapper.ErrRateLimited
	inTenSeconds := func(w http.ResponseWriter, r *http.Request) {
		answer(429, "", "Retry-After", time.Now().Add(10*s).UTC().Format(http.TimeFormat))(w, r)
	}
	for _, c := range []waitCase{
		{"no Retry-After", answer(429, ""), 0, 0, 200 * ms, 2, nil},
		{"Retry-After in seconds", answer(429, "", "Retry-After", "7"), 0, 7 * s, 7*s + 50*ms, 2, nil},
		{"Retry-After as a date", inTenSeconds, 0, 9 * s, 10*s + 50*ms, 2, nil},
		{"the longest Retry-After", answer(429, "", "Retry-After", "30"), 0, 30 * s, 30*s + 50*ms, 2, nil},
		{"too long a Retry-After", answer(429, "", "Retry-After", "31"), 0, 0, 0, 1, limited},
		{"a Retry-After without an end", answer(429, "", "Retry-After", "99999999999999999999"), 0, 0, 0, 1, limited},
		{"a Retry-After of nonsense", answer(429, "", "Retry-After", "soon"), 0, 0, 200 * ms, 2, nil},
		{"a deadline before Retry-After", answer(429, "", "Retry-After", "7"), 5 * s, 0, 0, 1, limited},
		{"a deadline after Retry-After", answer(429, "", "Retry-After", "7"), 8 * s, 7 * s, 7*s + 50*ms, 2, nil},
		{"a reply that does not come", hang, 0, 5 * s, 5 * s, 1, wrapper.ErrUnavailable},
		{"a deadline before the reply", hang, 3 * s, 3 * s, 3 * s, 1, context.DeadlineExceeded},
	} {
		t.Run(c.name, c.run)
	}
}

func TestTooLongARetryAfterIsReported(t *testing.T) {
	t.Parallel()
	err := perform(t, generated.OpGetJWKS, newFake(answer(429, problemBody, "Retry-After", "90")).offline(t), anID)
	if e, is := errors.AsType[*wrapper.APIError](err); !is || e.RetryAfter != 90*time.Second || e.Codes()[0] != "a_code" {
		t.Errorf("the error is %#v", err)
	}
}

// A caller who gives up while the client waits is told so at once, and what Clerk had said is kept.
func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		f := newFake(answer(429, problemBody, "Retry-After", "20", "Cf-Ray", "ray-1"))
		start := time.Now()
		_, err := f.offline(t).Keys.JWKS(ctx)
		e, is := errors.AsType[*wrapper.APIError](err)
		if !is || e.Status != 429 || e.TraceID != "ray-1" || e.RetryAfter != 20*time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(start); took != time.Second || len(f.requests(t)) != 1 {
			t.Errorf("sent %d times in %s", len(f.requests(t)), took)
		}
	})
}

func TestCancelBeforeAndDuringACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		f := newFake(hang)
		for range 2 {
			_, err := f.offline(t).Keys.JWKS(ctx)
			if !errors.Is(err, context.Canceled) || errors.Is(err, wrapper.ErrUnavailable) {
				t.Errorf("the error is %v", err)
			}
		}
		if n := len(f.requests(t)); n > 2 {
			t.Errorf("sent %d times", n)
		}
	})
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(hang)
		client := f.offline(t, wrapper.WithAttemptTimeout(time.Second), wrapper.WithMaxRetries(0))
		_, err := client.Keys.JWKS(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wrapper.ErrUnavailable) || !strings.Contains(err.Error(), "no reply within 1s") {
			t.Errorf("the attempt's timeout: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err = client.Keys.JWKS(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "within") {
			t.Errorf("the caller's timeout: %v", err)
		}
	})
}

// The timeout holds to the end of the reply, not to its beginning.
func TestAttemptTimeoutCoversTheBody(t *testing.T) {
	t.Parallel()
	f := newFake(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"keys":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	client := f.client(t, wrapper.WithAttemptTimeout(50*time.Millisecond), wrapper.WithMaxRetries(0))
	_, err := client.Keys.JWKS(t.Context())
	e, is := errors.AsType[*wrapper.APIError](err)
	if !is || e.Status != 200 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wrapper.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
}

// A body is sent again whole, over real HTTP, and as often as the attempt needs it.
func TestBodyIsSentAgain(t *testing.T) {
	t.Parallel()
	f := newFake(answer(429, ""), answer(429, ""), ok(generated.OpCreateM2MToken))
	_, err := f.client(t).M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{SecondsUntilExpiration: new(int64(60))})
	got := f.requests(t)
	if err != nil || len(got) != 3 {
		t.Fatalf("sent %d times: %v", len(got), err)
	}
	for _, r := range got {
		if r.Body != `{"seconds_until_expiration":60}` || len(r.Header.Values("Authorization")) != 1 || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("sent: %+v", r)
		}
	}
}

// Where the body cannot be read again, the first reply is the answer.
func TestBodyThatCannotBeSentAgain(t *testing.T) {
	t.Parallel()
	f := newFake(answer(429, problemBody))
	body := struct{ io.Reader }{strings.NewReader(`{}`)}
	resp, err := f.client(t).API().CreateM2MTokenWithBody(t.Context(), "application/json", body)
	if err != nil || resp.StatusCode != 429 || len(f.requests(t)) != 1 {
		t.Fatalf("sent %d times: %v, %v", len(f.requests(t)), resp, err)
	}
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != problemBody {
		t.Errorf("the body is %s, %v", b, err)
	}
}

// creates makes a token over a connection that has served a request before.
func creates(t *testing.T, second func(net.Conn)) (created int64, err error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if r.Method == http.MethodPost {
						n.Add(1)
						second(conn)
						return
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"+`{"keys":[]}`)
				}
			}()
		}
	}()
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); listener.Close() })
	client := newClient(t, wrapper.WithBaseURL("http://"+listener.Addr().String()+basePath), wrapper.WithHTTPClient(&http.Client{Transport: transport}),
		wrapper.WithMachineSecretKey(machineKey), wrapper.WithSecretKey(instanceKey))
	if _, err := client.Keys.JWKS(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = client.M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{})
	return n.Load(), err
}

// net/http sends some requests again by itself when a connection that was kept alive breaks. A create must not be one
// of them: the first may have made a token, which is billed.
func TestCreateIsNotDoubledOnAStaleConnection(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(net.Conn){
		"closed without a reply": func(net.Conn) {},
		"reset": func(c net.Conn) {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		},
		"half a status line": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 20") },
		"half a body": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		},
	} {
		n, err := creates(t, second)
		if n != 1 || !errors.Is(err, wrapper.ErrUnavailable) {
			t.Errorf("%s: %d creates arrived, and the error is %v", name, n, err)
		}
	}
}
