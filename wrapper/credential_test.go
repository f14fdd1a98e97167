package wrapper_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

const none wrapper.CredentialKind = 0

// given is a way to bring a credential to a call.
type given struct {
	name   string
	kind   wrapper.CredentialKind // as far as it can be told
	header string                 // what it amounts to; "" for none
	edit   []wrapper.RequestEditor
}

func ownHeader(value string) wrapper.RequestEditor {
	return func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", value)
		return nil
	}
}

var waysToGive = []given{
	{name: "nothing"},
	{"MachineSecretKey", wrapper.MachineSecretKeyKind, "Bearer ak_callhush", []wrapper.RequestEditor{wrapper.MachineSecretKey("ak_callhush")}},
	{"SecretKey", wrapper.SecretKeyKind, "Bearer sk_test_callhush", []wrapper.RequestEditor{wrapper.SecretKey("sk_test_callhush")}},
	{"MachineSecretKey of another shape", wrapper.MachineSecretKeyKind, "Bearer callhush", []wrapper.RequestEditor{wrapper.MachineSecretKey("callhush")}},
	{"own header of a proxy", none, "Basic cHJveHk6aHVzaA==", []wrapper.RequestEditor{ownHeader("Basic cHJveHk6aHVzaA==")}},
	{"own header, machine", wrapper.MachineSecretKeyKind, "Bearer ak_ownhush", []wrapper.RequestEditor{ownHeader("Bearer ak_ownhush")}},
	{"own header, instance", wrapper.SecretKeyKind, "Bearer sk_live_ownhush", []wrapper.RequestEditor{ownHeader("Bearer sk_live_ownhush")}},
	{"own header, odd scheme", wrapper.SecretKeyKind, "bearer   sk_live_ownhush", []wrapper.RequestEditor{ownHeader("bearer   sk_live_ownhush")}},
	{"own header, no scheme", wrapper.MachineSecretKeyKind, "ak_ownhush", []wrapper.RequestEditor{ownHeader("ak_ownhush")}},
	{"own header, then MachineSecretKey", wrapper.MachineSecretKeyKind, "Bearer ak_callhush", []wrapper.RequestEditor{ownHeader("Bearer sk_test_own"), wrapper.MachineSecretKey("ak_callhush")}},
	{"MachineSecretKey, then SecretKey", wrapper.SecretKeyKind, "Bearer sk_test_callhush", []wrapper.RequestEditor{wrapper.MachineSecretKey("ak_callhush"), wrapper.SecretKey("sk_test_callhush")}},
	{"SecretKey, then own header", wrapper.MachineSecretKeyKind, "Bearer ak_ownhush", []wrapper.RequestEditor{wrapper.SecretKey("sk_test_callhush"), ownHeader("Bearer ak_ownhush")}},
}

// credentialCase is one row of the credential table: an operation, what the client has, and what the call is given.
type credentialCase struct {
	op         generated.Operation
	configured wrapper.CredentialKind
	given      given
}

// want gives the header that must arrive; "" for an error before any network.
func (c credentialCase) want() string {
	takesMachine := c.op.Credentials.Has(wrapper.MachineSecretKeyKind)
	takesInstance := c.op.Credentials.Has(wrapper.SecretKeyKind)
	switch {
	case c.given.kind == wrapper.MachineSecretKeyKind && !takesMachine, c.given.kind == wrapper.SecretKeyKind && !takesInstance:
		return ""
	case c.given.header != "":
		return c.given.header
	case takesMachine && c.configured.Has(wrapper.MachineSecretKeyKind):
		return "Bearer " + machineKey
	case takesInstance && c.configured.Has(wrapper.SecretKeyKind):
		return "Bearer " + instanceKey
	}
	return ""
}

func (c credentialCase) run(t *testing.T, f *fake, client *wrapper.Client) {
	t.Helper()
	for _, way := range []struct {
		name string
		do   func() error
	}{
		{"the wrapper", func() error { return perform(t, c.op, client, anID, c.given.edit...) }},
		{"API()", func() error { _, err := performRaw(t, c.op, client, anID, c.given.edit...); return err }},
	} {
		what := fmt.Sprintf("%s by %s, configured %d, given %s", c.op.ID, way.name, c.configured, c.given.name)
		before := len(f.requests(t))
		err := way.do()
		arrived := f.requests(t)[before:]
		if c.want() == "" {
			e, is := errors.AsType[*wrapper.CredentialError](err)
			switch {
			case !is || len(arrived) > 0:
				t.Errorf("%s: the error is %v and %d requests arrived", what, err, len(arrived))
			case e.Operation != c.op.ID || e.Takes != c.op.Credentials || e.Given != c.given.kind:
				t.Errorf("%s: the error is %+v", what, *e)
			case c.given.kind == none && e.Configured != c.configured:
				t.Errorf("%s: the error says that %d is configured", what, e.Configured)
			case strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e), "hush"):
				t.Errorf("%s: the error shows a credential: %#v", what, e)
			}
			continue
		}
		if err != nil || len(arrived) != 1 {
			t.Errorf("%s: the error is %v and %d requests arrived", what, err, len(arrived))
			continue
		}
		if got := arrived[0].Header.Values("Authorization"); len(got) != 1 || got[0] != c.want() {
			t.Errorf("%s: Authorization is %q, want %q", what, got, c.want())
		}
	}
}

// The table is the spec's operations, so that one that is added is tested.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for configured := none; configured <= wrapper.MachineSecretKeyKind|wrapper.SecretKeyKind; configured++ {
		t.Run(fmt.Sprintf("configured=%d", configured), func(t *testing.T) {
			t.Parallel()
			f := newFake()
			var opts []wrapper.Option
			if configured.Has(wrapper.MachineSecretKeyKind) {
				opts = append(opts, wrapper.WithMachineSecretKey(machineKey))
			}
			if configured.Has(wrapper.SecretKeyKind) {
				opts = append(opts, wrapper.WithSecretKey(instanceKey))
			}
			client := f.bare(t, opts...)
			if m, i := client.HasMachineSecretKey(), client.HasSecretKey(); m != configured.Has(wrapper.MachineSecretKeyKind) || i != configured.Has(wrapper.SecretKeyKind) {
				t.Errorf("the client says that it has %t, %t", m, i)
			}
			for _, op := range generated.Operations() {
				for _, given := range waysToGive {
					credentialCase{op, configured, given}.run(t, f, client)
				}
			}
		})
	}
}

// An editor of the client counts like one of the call, and comes before it.
func TestClientEditors(t *testing.T) {
	t.Parallel()
	f := newFake()
	named := func(_ context.Context, req *http.Request) error {
		req.Header.Set("User-Agent", "billing after "+req.Header.Get("Authorization")[:len("Bearer sk_test")])
		return nil
	}
	client := f.client(t, wrapper.WithRequestEditor(wrapper.SecretKey("sk_test_editorhush")), wrapper.WithRequestEditor(named))
	if err := perform(t, generated.OpVerifyM2MToken, client, anID); err != nil {
		t.Error(err)
	}
	if err := perform(t, generated.OpVerifyM2MToken, client, anID, wrapper.MachineSecretKey("ak_callhush")); err != nil {
		t.Error(err)
	}
	if err := perform(t, generated.OpCreateM2MToken, client, anID); !isCredentialError(err) {
		t.Errorf("create with the instance's key: %v", err)
	}
	got := f.requests(t)
	if len(got) != 2 || got[0].Header.Get("Authorization") != "Bearer sk_test_editorhush" || got[1].Header.Get("Authorization") != "Bearer ak_callhush" {
		t.Fatalf("sent: %+v", got)
	}
	if agent := got[0].Header.Get("User-Agent"); agent != "billing after Bearer sk_test" {
		t.Errorf("the second editor did not follow the first: %s", agent)
	}
}

func TestEditorErrorEndsTheCall(t *testing.T) {
	t.Parallel()
	f := newFake()
	refused := errors.New("refused")
	err := perform(t, generated.OpGetJWKS, f.client(t), anID, func(context.Context, *http.Request) error { return refused })
	if !errors.Is(err, refused) || len(f.requests(t)) != 0 {
		t.Errorf("the error is %v", err)
	}
}

// An editor cannot take the credential elsewhere, on purpose or by mistake.
func TestEditorCannotChangeTheDestination(t *testing.T) {
	t.Parallel()
	f, other := newFake(), newFake()
	elsewhere := strings.TrimPrefix(other.start(t).URL, "http://")
	for name, edit := range map[string]func(*http.Request){
		"host":   func(r *http.Request) { r.URL.Host = elsewhere },
		"scheme": func(r *http.Request) { r.URL.Scheme = "https" },
		"path":   func(r *http.Request) { r.URL.Path = basePath + "/users" },
		"base":   func(r *http.Request) { r.URL.Path = "/v2/jwks" },
		"method": func(r *http.Request) { r.Method = http.MethodDelete },
	} {
		err := perform(t, generated.OpGetJWKS, f.client(t), anID, func(_ context.Context, r *http.Request) error { edit(r); return nil })
		if _, tried := errors.AsType[*wrapper.APIError](err); err == nil || tried || len(f.requests(t))+len(other.requests(t)) != 0 {
			t.Errorf("%s: it was sent, and the error is %v", name, err)
		}
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	f := newFake()
	client := f.client(t)
	type way struct {
		option func(string) wrapper.Option
		editor func(string) wrapper.RequestEditor
	}
	machine := way{wrapper.WithMachineSecretKey, wrapper.MachineSecretKey}
	instance := way{wrapper.WithSecretKey, wrapper.SecretKey}
	for _, test := range []struct {
		way  way
		key  string
		kind wrapper.CredentialKind
	}{
		{machine, "", wrapper.MachineSecretKeyKind},
		{machine, "sk_test_hush", wrapper.MachineSecretKeyKind},
		{machine, "ak_hush\n", wrapper.MachineSecretKeyKind},
		{machine, "ak_hu\x00sh", wrapper.MachineSecretKeyKind},
		{instance, "", wrapper.SecretKeyKind},
		{instance, "ak_hush", wrapper.SecretKeyKind},
		{instance, "sk_test_hush sk_test_hush", wrapper.SecretKeyKind},
		{instance, "sk_test_hüsh", wrapper.SecretKeyKind},
	} {
		_, err := wrapper.New(wrapper.WithoutEnv(), test.way.option(test.key))
		for _, err := range []error{err, perform(t, generated.OpVerifyM2MToken, client, anID, test.way.editor(test.key))} {
			e, is := errors.AsType[*wrapper.CredentialError](err)
			if !is || e.Given != test.kind || e.Unwrap() == nil || strings.Contains(fmt.Sprintf("%+v %#v", e, e), "hush") {
				t.Errorf("%q: the error is %#v", test.key, err)
			}
		}
	}
	if n := len(f.requests(t)); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// Calls at the same time with keys of their own never take one another's.
func TestKeysOfCallsNeverCross(t *testing.T) {
	t.Parallel()
	f := newFake()
	client := f.client(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				name := fmt.Sprintf("worker%d", i)
				_, err := client.M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{Claims: json.RawMessage(`{"name":"` + name + `"}`)},
					wrapper.MachineSecretKey("ak_"+name))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := f.requests(t)
	if len(got) != 80 {
		t.Errorf("%d requests arrived", len(got))
	}
	for _, r := range got {
		if name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ak_"); !strings.Contains(r.Body, `"`+name+`"`) {
			t.Errorf("the body %s was sent with the key of %s", r.Body, name)
		}
	}
}

func isCredentialError(err error) bool {
	_, is := errors.AsType[*wrapper.CredentialError](err)
	return is
}

func TestCredentialErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	machine, instance := wrapper.MachineSecretKeyKind, wrapper.SecretKeyKind
	for _, test := range []struct {
		err  *wrapper.CredentialError
		want string
	}{
		{
			&wrapper.CredentialError{Operation: "createM2MToken", Takes: machine, Configured: instance},
			"clerk: createM2MToken takes a machine's secret key, and the client has only the instance's secret key; set CLERK_MACHINE_SECRET_KEY or use WithMachineSecretKey",
		},
		{
			&wrapper.CredentialError{Operation: "verifyM2MToken", Takes: machine | instance},
			"clerk: verifyM2MToken takes a machine's secret key or the instance's secret key, and the client has no credential; set CLERK_MACHINE_SECRET_KEY or use WithMachineSecretKey, or set CLERK_SECRET_KEY or use WithSecretKey",
		},
		{
			&wrapper.CredentialError{Operation: "GetJWKS", Takes: instance, Given: machine},
			"clerk: GetJWKS takes the instance's secret key, and the call was given a machine's secret key: not sent",
		},
		{
			&wrapper.CredentialError{Given: machine, Err: errors.New("the key is empty")},
			"clerk: a machine's secret key: the key is empty",
		},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("the error reads %q, want %q", got, test.want)
		}
	}
}
