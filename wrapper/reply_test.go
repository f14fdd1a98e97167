package wrapper_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// hostile is a reply that proves nothing, to be told apart from a success by every operation.
type hostile struct {
	name   string
	status int // 0 for the operation's own success
	body   string
	header []string
	is     error
}

func (h hostile) run(t *testing.T) {
	t.Parallel()
	for _, op := range generated.Operations() {
		status := h.status
		if status == 0 {
			status = op.Status
		}
		f := newFake(answer(status, h.body, append([]string{"Cf-Ray", "ray1"}, h.header...)...))
		err := perform(t, op, f.client(t, wrapper.WithMaxRetries(0)), anID)
		e, is := errors.AsType[*wrapper.APIError](err)
		switch {
		case !is:
			t.Errorf("%s: the error is %v", op.ID, err)
		case e.Operation != op.ID || e.Status != status || e.TraceID != "ray1":
			t.Errorf("%s: the error is %+v", op.ID, e)
		case h.is != nil && !errors.Is(err, h.is):
			t.Errorf("%s: the error is not %v but %v", op.ID, h.is, err)
		case !strings.Contains(err.Error(), op.ID) || strings.Contains(err.Error(), "<html>"):
			t.Errorf("%s: the error reads %v", op.ID, err)
		}
	}
}

func TestHostileReplies(t *testing.T) {
	t.Parallel()
	const html = "<html><body>Login</body></html>"
	invalid := wrapper.ErrInvalidReply
	for _, h := range []hostile{
		{name: "empty object", body: `{}`, is: invalid},
		{name: "null", body: `null`, is: invalid},
		{name: "list", body: `[]`, is: invalid},
		{name: "text", body: `"machine"`, is: invalid},
		{name: "nothing", body: ``, is: invalid},
		{name: "HTML that is said to be JSON", body: html, is: invalid},
		{name: "HTML", body: html, header: []string{"Content-Type", "text/html"}, is: invalid},
		{name: "not active", body: `{"active":false}`, is: nil},
		{name: "another object", body: `{"object":"user","id":"x"}`, is: invalid},
		{name: "lists of null", body: `{"object":"machine","data":null,"m2m_tokens":null,"keys":null}`, is: invalid},
		{name: "deep", body: strings.Repeat("[", 20_000), is: invalid},
		{name: "204", status: 204, is: invalid},
		{name: "206", status: 206, body: `{}`, is: invalid},
		{name: "302", status: 302, header: []string{"Location", "https://example.com/"}},
		{name: "304", status: 304},
		{name: "401 HTML", status: 401, body: html, header: []string{"Content-Type", "text/html"}, is: wrapper.ErrUnauthorized},
		{name: "403 empty", status: 403, is: wrapper.ErrForbidden},
		{name: "404 null", status: 404, body: `null`, is: wrapper.ErrNotFound},
		{name: "409 list", status: 409, body: `[]`, is: wrapper.ErrConflict},
		{name: "422 truncated", status: 422, body: `{"errors":[{"co`},
		{name: "429 errors of another type", status: 429, body: `{"errors":"no"}`, is: wrapper.ErrRateLimited},
		{name: "503 text", status: 503, body: "busy", header: []string{"Content-Type", "text/plain"}, is: wrapper.ErrUnavailable},
		{name: "599", status: 599, is: wrapper.ErrUnavailable},
	} {
		t.Run(h.name, h.run)
	}
}

// What would be a success but for one thing is none.
func TestSpoiledSuccesses(t *testing.T) {
	t.Parallel()
	for _, op := range generated.Operations() {
		good := proof(op)
		spoiled := map[string]http.HandlerFunc{
			"text/json":     answer(op.Status, good, "Content-Type", "text/json"),
			"problem+json":  answer(op.Status, good, "Content-Type", "application/problem+json"),
			"two types":     answer(op.Status, good, "Content-Type", "application/json, text/html"),
			"other success": answer(403-op.Status, good), // 202 for 201, 203 for 200
			"truncated":     answer(op.Status, good[:len(good)-1]),
			"more after it": answer(op.Status, good+"{}"),
		}
		if strings.HasPrefix(op.ID, "verify") {
			spoiled["revoked"] = answer(op.Status, strings.Replace(good, "{", `{"revoked":true,`, 1))
			spoiled["expired"] = answer(op.Status, strings.Replace(good, "{", `{"expired":true,`, 1))
		}
		if op.List == "" {
			spoiled["not active"] = answer(op.Status, strings.Replace(good, "{", `{"active":false,`, 1))
		}
		if op.Object != "" {
			spoiled["object in capitals"] = answer(op.Status, strings.Replace(good, `"object"`, `"Object"`, 1))
			spoiled["object twice"] = answer(op.Status, strings.Replace(good, `"object"`, `"OBJECT":"user","object"`, 1))
			spoiled["another object"] = answer(op.Status, strings.Replace(good, op.Object, op.Object+"s", 1))
		}
		for _, name := range op.Required {
			value := fmt.Sprintf("%q:%q", name, "x_"+name)
			spoiled["no "+name] = answer(op.Status, strings.Replace(good, value, `"x":0`, 1))
			spoiled["empty "+name] = answer(op.Status, strings.Replace(good, value, fmt.Sprintf("%q:\"\"", name), 1))
			spoiled["null "+name] = answer(op.Status, strings.Replace(good, value, fmt.Sprintf("%q:null", name), 1))
			spoiled["numeric "+name] = answer(op.Status, strings.Replace(good, value, fmt.Sprintf("%q:1", name), 1))
			spoiled[name+" twice"] = answer(op.Status, strings.Replace(good, value, value+`,"`+strings.ToUpper(name)+`":"x"`, 1))
			if strings.Contains(name, "s") { // to encoding/json, a long s is one
				spoiled[name+" twice by a long s"] = answer(op.Status, strings.Replace(good, value, value+`,"`+strings.Replace(name, "s", "ſ", 1)+`":"x"`, 1))
			}
		}
		f := newFake()
		client := f.client(t)
		for name, reply := range spoiled {
			f.answers = []http.HandlerFunc{reply}
			err := perform(t, op, client, anID)
			want := wrapper.ErrInvalidReply
			if name == "not active" || name == "revoked" || name == "expired" {
				want = wrapper.ErrInactiveToken
			}
			if e, is := errors.AsType[*wrapper.APIError](err); !is || e.Status == 0 || !errors.Is(err, want) {
				t.Errorf("%s, %s: the error is %v", op.ID, name, err)
			}
		}
	}
}

// A reply is read to a limit, and beyond it is no success. Of a refusal only the status counts.
func TestHugeReplies(t *testing.T) {
	t.Parallel()
	huge := strings.TrimSuffix(proof(generated.OpGetMachine), "}") + `,"name":"` + strings.Repeat("x", 10<<20) + `"}`
	f := newFake(answer(200, huge), answer(403, huge))
	client := f.client(t)
	if _, err := client.Machines.Get(t.Context(), anID); !errors.Is(err, wrapper.ErrInvalidReply) || len(err.Error()) > 200 {
		t.Errorf("a success: %.500v", err)
	}
	if _, err := client.Machines.Get(t.Context(), anID); !errors.Is(err, wrapper.ErrForbidden) || len(err.Error()) > 200 {
		t.Errorf("a refusal: %.500v", err)
	}
	if n := len(f.requests(t)); n != 2 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestJSONByAnyName(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"application/json; charset=utf-8", "Application/JSON", `application/json;profile="a;b"`} {
		f := newFake(answer(200, proof(generated.OpGetMachine), "Content-Type", media))
		if m, err := f.client(t).Machines.Get(t.Context(), anID); err != nil || m.ID != "x_id" {
			t.Errorf("%s: %+v, %v", media, m, err)
		}
	}
}

// A member of another type makes the reply invalid, and its value, which may be a credential, does not show.
func TestMembersOfAnotherType(t *testing.T) {
	t.Parallel()
	good := proof(generated.OpCreateM2MToken)
	for name, value := range map[string]string{
		"created_at": "1716883200000.5", "updated_at": `"mt_hush123456"`, "expiration": "1e40", "scopes": `{"mt_hush123456":1}`,
		"revoked": `"mt_hush123456"`, "expired": `["mt_hush123456"]`,
	} {
		f := newFake(answer(201, strings.TrimSuffix(good, "}")+fmt.Sprintf(",%q:%s}", name, value)))
		_, err := f.client(t).M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{})
		if !errors.Is(err, wrapper.ErrInvalidReply) || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), value) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// A list is as good as its worst item.
func TestListsWithABadItem(t *testing.T) {
	t.Parallel()
	good := proof(generated.OpGetMachine)
	for _, bad := range []string{`{}`, `null`, `1`, `[]`, `{"object":"machine"}`, `{"object":"user","id":"x","instance_id":"x"}`} {
		f := newFake(answer(200, `{"data":[`+good+`,`+bad+`],"total_count":2}`))
		if _, err := f.client(t).Machines.List(t.Context(), wrapper.ListMachinesParams{}); !errors.Is(err, wrapper.ErrInvalidReply) || !strings.Contains(err.Error(), "item 1 of") {
			t.Errorf("with %s: %v", bad, err)
		}
	}
	f := newFake(answer(200, `{"data":[],"total_count":0}`))
	if list, err := f.client(t).Machines.List(t.Context(), wrapper.ListMachinesParams{}); err != nil || list.Data == nil || len(list.Data) != 0 {
		t.Errorf("an empty list: %+v, %v", list, err)
	}
}

// apiErrorCase is a refusal of Clerk's, and what is made of it.
type apiErrorCase struct {
	name   string
	status int
	body   string
	header []string
	want   wrapper.APIError
	text   string
}

func (c apiErrorCase) run(t *testing.T) {
	t.Parallel()
	f := newFake(answer(c.status, c.body, c.header...))
	_, err := f.client(t, wrapper.WithMaxRetries(0)).Machines.Get(t.Context(), anID)
	e, is := errors.AsType[*wrapper.APIError](err)
	if !is {
		t.Fatal(err)
	}
	c.want.Operation, c.want.Status = "GetMachine", c.status
	if got, want := fmt.Sprintf("%+v", *e), fmt.Sprintf("%+v", c.want); got != want {
		t.Errorf("the error is\n%s, want\n%s", got, want)
	}
	if err.Error() != c.text {
		t.Errorf("the error reads\n%s, want\n%s", err, c.text)
	}
}

func TestAPIErrors(t *testing.T) {
	t.Parallel()
	const both = `{"errors":[{"code":"resource_not_found","message":"Not found","long_message":"No machine was found.","meta":{"param_name":"id"}},{"code":"other","message":"Other"}],"clerk_trace_id":"trace1"}`
	for _, c := range []apiErrorCase{
		{
			name: "all that Clerk says", status: 404, body: both, header: []string{"Cf-Ray", "ray1"},
			want: wrapper.APIError{TraceID: "trace1", Errors: []wrapper.ErrorItem{
				{Code: "resource_not_found", Message: "Not found", LongMessage: "No machine was found.", Meta: map[string]any{"param_name": "id"}},
				{Code: "other", Message: "Other"},
			}},
			text: "clerk: GetMachine: 404 Not Found: resource_not_found: No machine was found.: other: Other (trace trace1)",
		},
		{
			name: "problem+json", status: 409, body: `{"errors":[{"code":"c","message":"m"}]}`, header: []string{"Content-Type", "application/problem+json", "Cf-Ray", "ray1"},
			want: wrapper.APIError{TraceID: "ray1", Errors: []wrapper.ErrorItem{{Code: "c", Message: "m"}}},
			text: "clerk: GetMachine: 409 Conflict: c: m (trace ray1)",
		},
		{
			name: "members of another type", status: 400, body: `{"errors":[{"code":7,"message":"m"}],"clerk_trace_id":"trace1"}`,
			want: wrapper.APIError{TraceID: "trace1", Errors: []wrapper.ErrorItem{{Message: "m"}}},
			text: "clerk: GetMachine: 400 Bad Request: m (trace trace1)",
		},
		{
			name: "401", status: 401,
			text: "clerk: GetMachine: 401 Unauthorized; check the secret key that the call is made with",
		},
		{
			name: "429", status: 429, header: []string{"Retry-After", "7"},
			want: wrapper.APIError{RetryAfter: 7 * time.Second},
			text: "clerk: GetMachine: 429 Too Many Requests; come back in 7s",
		},
		{
			name: "redirect", status: 307, header: []string{"Location", "https://example.com/"},
			text: "clerk: GetMachine: 307 Temporary Redirect; redirects are not followed; check the base URL",
		},
		{
			name: "a status without a name", status: 599,
			text: "clerk: GetMachine: 599",
		},
	} {
		t.Run(c.name, c.run)
	}
}

// A reply whose body breaks off keeps its status, and is repeated only where the operation may be.
func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op     generated.Operation
		status int
		is     error
		sent   int // 0 where a second attempt succeeds
	}{
		{op: generated.OpCreateM2MToken, status: 201, is: wrapper.ErrUnavailable, sent: 1},
		{op: generated.OpGetMachine, status: 404, is: wrapper.ErrNotFound, sent: 1},
		{op: generated.OpCreateMachine, status: 503, is: wrapper.ErrUnavailable, sent: 1},
		{op: generated.OpGetMachine, status: 200},
		{op: generated.OpGetMachine, status: 503},
	} {
		f := newFake(breakOff(c.status), ok(c.op))
		err := perform(t, c.op, f.client(t), anID)
		sent := len(f.requests(t))
		if c.sent == 0 {
			if err != nil || sent != 2 {
				t.Errorf("%s, %d: %d requests arrived, %v", c.op.ID, c.status, sent, err)
			}
			continue
		}
		e, is := errors.AsType[*wrapper.APIError](err)
		if !is || e.Status != c.status || e.TraceID != "ray-1" || !errors.Is(err, c.is) || sent != c.sent || strings.Contains(err.Error(), "no reply") {
			t.Errorf("%s, %d: %d requests arrived, %v", c.op.ID, c.status, sent, err)
		}
	}
}
