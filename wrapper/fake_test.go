package wrapper_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

const (
	// basePath is not empty, so that a path that is made without the base URL fails loudly.
	basePath = "/api/v1"

	machineKey  = "ak_machinehush1"
	instanceKey = "sk_test_instancehush1"
	anID        = "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"
)

// fake is a Clerk that records what it is sent and answers as it is told: behind real HTTP, or as a RoundTripper
// without a network, so that it works in a synctest bubble.
type fake struct {
	routes  *http.ServeMux
	answers []http.HandlerFunc

	mu     sync.Mutex
	server *httptest.Server
	got    []sent
}

// sent is a request as it arrived.
type sent struct {
	Operation generated.Operation // zero when the spec has no such method and path
	Method    string
	URI       string
	Header    http.Header
	Body      string
}

// newFake makes a fake. The nth request is given the nth answer, and the last answer is for all that follow; without
// answers, each operation succeeds.
func newFake(answers ...http.HandlerFunc) *fake {
	f := &fake{routes: http.NewServeMux(), answers: answers}
	for _, op := range generated.Operations() {
		f.routes.HandleFunc(op.Method+" "+basePath+op.Path, ok(op))
	}
	return f
}

// start makes the fake listen, unless it does already.
func (f *fake) start(t testing.TB) *httptest.Server {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server == nil {
		f.server = httptest.NewServer(f)
		t.Cleanup(f.server.Close)
	}
	return f.server
}

// RoundTrip answers without a network. An answer that panics is a broken connection, as it is to a server.
func (f *fake) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	w := httptest.NewRecorder()
	arrived := r.Clone(r.Context())
	if arrived.Body == nil {
		arrived.Body = http.NoBody
	}
	arrived.RequestURI = r.URL.RequestURI()
	f.ServeHTTP(w, arrived)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	got := sent{Method: r.Method, URI: r.RequestURI, Header: r.Header.Clone(), Body: string(body)}
	route, pattern := f.routes.Handler(r)
	for _, op := range generated.Operations() {
		if pattern == op.Method+" "+basePath+op.Path && path.Clean(r.URL.Path) == r.URL.Path {
			got.Operation = op
		}
	}
	f.mu.Lock()
	f.got = append(f.got, got)
	n := len(f.got)
	f.mu.Unlock()
	if len(f.answers) > 0 {
		route = f.answers[min(n, len(f.answers))-1]
	}
	route.ServeHTTP(w, r)
}

// requests gives what was sent so far, and fails the test for each request that is none of the spec's operations.
func (f *fake) requests(t testing.TB) []sent {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, got := range f.got {
		if got.Operation.ID == "" {
			t.Errorf("%s %s is none of the spec's operations", got.Method, got.URI)
		}
	}
	return slices.Clone(f.got)
}

// client makes a client of the fake that has both keys; options may change that.
func (f *fake) client(t testing.TB, opts ...wrapper.Option) *wrapper.Client {
	t.Helper()
	return f.bare(t, append([]wrapper.Option{wrapper.WithMachineSecretKey(machineKey), wrapper.WithSecretKey(instanceKey)}, opts...)...)
}

// bare makes a client of the fake without credentials.
func (f *fake) bare(t testing.TB, opts ...wrapper.Option) *wrapper.Client {
	t.Helper()
	server := f.start(t)
	return newClient(t, append([]wrapper.Option{wrapper.WithBaseURL(server.URL + basePath), wrapper.WithHTTPClient(server.Client())}, opts...)...)
}

// offline makes a client of the fake that has both keys and uses no network.
func (f *fake) offline(t testing.TB, opts ...wrapper.Option) *wrapper.Client {
	t.Helper()
	return newClient(t, append([]wrapper.Option{
		wrapper.WithBaseURL("https://clerk.example" + basePath), wrapper.WithHTTPClient(&http.Client{Transport: f}),
		wrapper.WithMachineSecretKey(machineKey), wrapper.WithSecretKey(instanceKey),
	}, opts...)...)
}

func newClient(t testing.TB, opts ...wrapper.Option) *wrapper.Client {
	t.Helper()
	c, err := wrapper.New(append([]wrapper.Option{wrapper.WithoutEnv()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer replies with a status, a body and headers given as names and values; the media type is JSON unless they say.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// reset breaks the connection off without a reply.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers when the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// breakOff sends the status and half of the body.
func breakOff(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		w.Header().Set("Cf-Ray", "ray-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"object":"mach`)
		_ = http.NewResponseController(w).Flush()
	}
}

// ok answers an operation with the least that proves a success.
func ok(op generated.Operation) http.HandlerFunc { return answer(op.Status, proof(op)) }

// proof is the least that proves a success of an operation: its object and what it must have.
func proof(op generated.Operation) string {
	members := []string{}
	if op.Object != "" {
		members = append(members, fmt.Sprintf(`"object":%q`, op.Object))
	}
	for _, name := range op.Required {
		members = append(members, fmt.Sprintf(`%q:%q`, name, "x_"+name))
	}
	object := "{" + strings.Join(members, ",") + "}"
	if op.List != "" {
		return fmt.Sprintf(`{%q:[%s],"total_count":1}`, op.List, object)
	}
	return object
}

// call makes an operation once, with an id for each of its path parameters.
type call func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error)

// calls has each operation of the spec by the wrapper's method for it.
var calls = map[string]call{
	"createM2MToken": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{}, edit...)
	},
	"getM2MTokens": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.M2MTokens.List(ctx, wrapper.ListM2MTokensParams{Subject: id}, edit...)
	},
	"revokeM2MToken": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.M2MTokens.Revoke(ctx, id, wrapper.RevokeM2MTokenParams{}, edit...)
	},
	"verifyM2MToken": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.M2MTokens.Verify(ctx, "presentedhush", edit...)
	},
	"ListMachines": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.List(ctx, wrapper.ListMachinesParams{}, edit...)
	},
	"CreateMachine": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.Create(ctx, wrapper.CreateMachineParams{Name: "billing"}, edit...)
	},
	"GetMachine": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.Get(ctx, id, edit...)
	},
	"UpdateMachine": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.Update(ctx, id, wrapper.UpdateMachineParams{}, edit...)
	},
	"DeleteMachine": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.Delete(ctx, id, edit...)
	},
	"GetMachineSecretKey": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.SecretKey(ctx, id, edit...)
	},
	"RotateMachineSecretKey": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.RotateSecretKey(ctx, id, wrapper.RotateMachineSecretKeyParams{}, edit...)
	},
	"CreateMachineScope": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.AddScope(ctx, id, id, edit...)
	},
	"DeleteMachineScope": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Machines.RemoveScope(ctx, id, id, edit...)
	},
	"createApiKey": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.Create(ctx, wrapper.CreateAPIKeyParams{}, edit...)
	},
	"getApiKeys": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.List(ctx, wrapper.ListAPIKeysParams{Subject: id}, edit...)
	},
	"getApiKey": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.Get(ctx, id, edit...)
	},
	"updateApiKey": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.Update(ctx, id, wrapper.UpdateAPIKeyParams{}, edit...)
	},
	"deleteApiKey": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.Delete(ctx, id, edit...)
	},
	"getApiKeySecret": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.Secret(ctx, id, edit...)
	},
	"revokeApiKey": func(ctx context.Context, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.Revoke(ctx, id, wrapper.RevokeAPIKeyParams{}, edit...)
	},
	"verifyApiKey": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.APIKeys.Verify(ctx, "presentedhush", edit...)
	},
	"verifyOAuthAccessToken": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.OAuthTokens.Verify(ctx, "presentedhush", edit...)
	},
	"GetJWKS": func(ctx context.Context, c *wrapper.Client, _ string, edit ...wrapper.RequestEditor) (any, error) {
		return c.Keys.JWKS(ctx, edit...)
	},
}

// perform makes an operation by the wrapper's method. A result without an error, or one beside it, fails the test.
func perform(t *testing.T, op generated.Operation, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) error {
	t.Helper()
	do := calls[op.ID]
	if do == nil {
		t.Fatalf("%s has no call in this test: add one, so that the tables cover it", op.ID)
	}
	v, err := do(t.Context(), c, id, edit...)
	if zero := reflect.ValueOf(v).IsZero(); zero != (err != nil) {
		t.Errorf("%s: the result is %v with the error %v", op.ID, v, err)
	}
	return err
}

// performRaw makes an operation by the generated client.
func performRaw(t *testing.T, op generated.Operation, c *wrapper.Client, id string, edit ...wrapper.RequestEditor) (*http.Response, error) {
	t.Helper()
	api := reflect.ValueOf(c.API())
	for i := range api.NumMethod() {
		if !strings.EqualFold(api.Type().Method(i).Name, op.ID) {
			continue
		}
		method := api.Method(i)
		args := []reflect.Value{reflect.ValueOf(t.Context())}
		for j := 1; j < method.Type().NumIn()-1; j++ {
			switch in := method.Type().In(j); in.Kind() {
			case reflect.String:
				args = append(args, reflect.ValueOf(id))
			case reflect.Pointer:
				args = append(args, reflect.New(in.Elem()))
			default:
				args = append(args, reflect.Zero(in))
			}
		}
		for _, e := range edit {
			args = append(args, reflect.ValueOf(e))
		}
		out := method.Call(args)
		resp, _ := out[0].Interface().(*http.Response)
		err, _ := out[1].Interface().(error)
		return resp, err
	}
	t.Fatalf("the generated client has no method for %s", op.ID)
	return nil, nil
}

func TestEveryOperationHasOneCall(t *testing.T) {
	t.Parallel()
	f := newFake()
	c := f.client(t)
	for i, op := range generated.Operations() {
		if err := perform(t, op, c, anID); err != nil {
			t.Errorf("%s: %v", op.ID, err)
		}
		got := f.requests(t)
		if len(got) != i+1 || got[i].Operation.ID != op.ID {
			t.Fatalf("the call of %s sent %+v", op.ID, got[i:])
		}
	}
	if n := len(generated.Operations()); len(calls) != n {
		t.Errorf("there are %d calls for %d operations", len(calls), n)
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	f := newFake()
	mine := func(_ context.Context, req *http.Request) error {
		req.Header.Set("User-Agent", "mine")
		req.Header.Set("Clerk-API-Version", "2000-01-01")
		return nil
	}
	for _, err := range []error{
		perform(t, generated.OpCreateM2MToken, f.client(t), anID),
		perform(t, generated.OpCreateM2MToken, f.client(t, wrapper.WithUserAgent("billing/1"), wrapper.WithAPIVersion("2025-11-10")), anID),
		perform(t, generated.OpCreateM2MToken, f.client(t), anID, mine),
		perform(t, generated.OpGetJWKS, f.client(t), anID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []struct{ agent, version, accept, media string }{
		{"clerk-m2m-go", generated.APIVersion, "application/json", "application/json"},
		{"billing/1", "2025-11-10", "application/json", "application/json"},
		{"mine", "2000-01-01", "application/json", "application/json"},
		{"clerk-m2m-go", generated.APIVersion, "application/json", ""},
	} {
		h := f.requests(t)[i].Header
		if got := [4]string{h.Get("User-Agent"), h.Get("Clerk-API-Version"), h.Get("Accept"), h.Get("Content-Type")}; got != [4]string{want.agent, want.version, want.accept, want.media} {
			t.Errorf("request %d has the headers %q, want %q", i, got, want)
		}
	}
}
