package m2mtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/internal/contract"
	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// now is the time of every server whose test depends on it.
var now = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// backend is a server and the judge of all that goes to it and comes back.
type backend struct {
	*m2mtest.Server
	t        *testing.T
	contract *contract.Transport
}

func newBackend(t *testing.T, opts ...m2mtest.Option) *backend {
	t.Helper()
	judge, err := contract.NewTransport(&http.Transport{DisableKeepAlives: true}, "/v1")
	if err != nil {
		t.Fatal(err)
	}
	opts = append([]m2mtest.Option{m2mtest.WithClock(func() time.Time { return now })}, opts...)
	return &backend{m2mtest.NewServer(t, opts...), t, judge}
}

// answer is a reply, decoded.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	raw    []byte
	json   map[string]any
}

// call sends a request that keeps the spec and takes a reply that does.
func (b *backend) call(key, method, path string, body any) answer {
	b.t.Helper()
	return b.send(&http.Client{Transport: b.contract}, key, method, "/v1"+path, body)
}

// rawCall sends any request and takes any reply.
func (b *backend) rawCall(key, method, path string, body any) answer {
	b.t.Helper()
	return b.send(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, key, method, path, body)
}

func (b *backend) send(client *http.Client, key, method, path string, body any) answer {
	b.t.Helper()
	var sent io.Reader = http.NoBody
	switch body := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(body)
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		sent = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.URL()+path, sent)
	if err != nil {
		b.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{t: b.t, status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		b.t.Fatal(err)
	}
	_ = json.Unmarshal(a.raw, &a.json) // nil unless it is an object
	return a
}

// is fails the test unless the answer has this status, and this error code if one is given.
func (a answer) is(status int, code string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("the status is %d, not %d: %s", a.status, status, a.raw)
	}
	if status < 400 {
		return a
	}
	if got := a.get("errors", 0, "code"); got != code {
		a.t.Errorf("the code is %v, not %s", got, code)
	}
	if trace, _ := a.json["clerk_trace_id"].(string); len(trace) != 32 {
		a.t.Errorf("there is no trace id: %s", a.raw)
	}
	return a
}

// get gives a value by its path.
func (a answer) get(path ...any) any {
	var v any = a.json
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func (a answer) text(path ...any) string {
	s, _ := a.get(path...).(string)
	return s
}

// has fails the test unless a value is this one.
func (a answer) has(want any, path ...any) answer {
	a.t.Helper()
	if n, ok := want.(int); ok {
		want = float64(n)
	}
	got, err := json.Marshal(a.get(path...))
	if err != nil {
		a.t.Fatal(err)
	}
	wanted, err := json.Marshal(want)
	if err != nil {
		a.t.Fatal(err)
	}
	if !bytes.Equal(got, wanted) {
		a.t.Errorf("%v is %s, not %s", path, got, wanted)
	}
	return a
}

func query(pairs ...string) string {
	v := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return "?" + v.Encode()
}

// The whole story of issue one: a token is minted, verified by the callee, revoked, and refused.
func TestStory(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	billing := b.AddMachine("billing")
	orders := b.AddMachine("orders", billing.ID)
	for _, format := range []string{"opaque", "jwt"} {
		created := b.call(string(orders.SecretKey), "POST", "/m2m_tokens", map[string]any{"token_format": format}).is(201, "")
		verify := map[string]any{"token": created.text("token")}
		b.call(string(billing.SecretKey), "POST", "/m2m_tokens/verify", verify).is(200, "").
			has(orders.ID, "subject").has([]string{billing.ID}, "scopes").has(false, "revoked")
		status := 404
		if format == "opaque" {
			status = 200
		}
		b.call(string(orders.SecretKey), "POST", "/m2m_tokens/"+created.text("id")+"/revoke", map[string]any{}).is(status, "resource_not_found")
		if format == "opaque" {
			b.call(string(billing.SecretKey), "POST", "/m2m_tokens/verify", verify).is(404, "resource_not_found")
		}
	}
}

func decodeInto(t *testing.T, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
}

func decodeBody(t *testing.T, resp *http.Response, v any) {
	t.Helper()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}
