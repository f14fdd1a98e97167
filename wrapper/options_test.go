package wrapper_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// baseURLCase is a base URL and where the key set is then fetched from, or what the error that refuses it says.
type baseURLCase struct{ base, jwks, refused string }

func (c baseURLCase) run(t *testing.T) {
	t.Parallel()
	asked := ""
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return reply(200, nil, `{"keys":[]}`), nil
	})
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithSecretKey(instanceKey), wrapper.WithBaseURL(c.base), wrapper.WithHTTPClient(&http.Client{Transport: transport}))
	if c.refused != "" {
		if err == nil || !strings.Contains(err.Error(), c.refused) || client != nil {
			t.Errorf("%q: the error is %v", c.base, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Keys.JWKS(t.Context()); err != nil || asked != c.jwks {
		t.Errorf("%q: %s was asked, want %s; %v", c.base, asked, c.jwks, err)
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for _, c := range []baseURLCase{
		{base: "https://clerk.example", jwks: "https://clerk.example/v1/jwks"},
		{base: "https://clerk.example/", jwks: "https://clerk.example/v1/jwks"},
		{base: "https://clerk.example/v1", jwks: "https://clerk.example/v1/jwks"},
		{base: "https://clerk.example/v1/", jwks: "https://clerk.example/v1/jwks"},
		{base: "https://clerk.example/api/v1//", jwks: "https://clerk.example/api/v1/jwks"},
		{base: "https://clerk.example:8443/a/../b", jwks: "https://clerk.example:8443/b/jwks"},
		{base: "https://clerk.example/a%2Fb", jwks: "https://clerk.example/a%2Fb/jwks"},
		{base: "HTTPS://clerk.example", jwks: "https://clerk.example/v1/jwks"},
		{base: "http://localhost:3000", jwks: "http://localhost:3000/v1/jwks"},
		{base: "http://LOCALHOST", jwks: "http://LOCALHOST/v1/jwks"},
		{base: "http://127.0.0.1:3000", jwks: "http://127.0.0.1:3000/v1/jwks"},
		{base: "http://127.9.9.9", jwks: "http://127.9.9.9/v1/jwks"},
		{base: "http://[::1]:3000", jwks: "http://[::1]:3000/v1/jwks"},
		{base: "http://[::ffff:127.0.0.1]", jwks: "http://[::ffff:127.0.0.1]/v1/jwks"},
		{base: "http://clerk.example", refused: "use https"},
		{base: "http://localhost.clerk.example", refused: "use https"},
		{base: "http://127.0.0.1.clerk.example", refused: "use https"},
		{base: "http://0.0.0.0", refused: "use https"},
		{base: "http://10.0.0.1", refused: "use https"},
		{base: "http://2130706433", refused: "use https"},
		{base: "http://[::]", refused: "use https"},
		{base: "ftp://localhost", refused: "use https"},
		{base: "clerk.example", refused: "no host"},
		{base: "clerk.example:443/v1", refused: "no host"},
		{base: "/v1", refused: "no host"},
		{base: "https:///v1", refused: "no host"},
		{base: "https:clerk.example", refused: "no host"},
		{base: "", refused: "no host"},
		{base: "https://u:hush@clerk.example", refused: "has a user"},
		{base: "https://clerk.example/v1?key=hush", refused: "has a query"},
		{base: "https://clerk.example/#hush", refused: "has a query or a fragment"},
		{base: "https://u:hush@clerk.example:port", refused: "cannot be parsed"},
		{base: "https://clerk.example/%zzhush", refused: "cannot be parsed"},
	} {
		t.Run(c.base, c.run)
	}
	_, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL("https://u:hush@clerk.example:port"))
	shows(t, "the error", fmt.Sprint(err))
}

func TestDefaultBaseURL(t *testing.T) {
	t.Parallel()
	asked := ""
	client := newClient(t, wrapper.WithSecretKey(instanceKey), wrapper.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return reply(200, nil, `{"keys":[]}`), nil
	})}))
	if _, err := client.Keys.JWKS(t.Context()); err != nil || asked != "https://api.clerk.com/v1/jwks" {
		t.Errorf("%s was asked: %v", asked, err)
	}
}

// The environment fills what no option gives.
func TestEnvironment(t *testing.T) {
	env, given := newFake(), newFake()
	t.Setenv("CLERK_MACHINE_SECRET_KEY", "ak_env")
	t.Setenv("CLERK_SECRET_KEY", "sk_test_env")
	t.Setenv("CLERK_API_URL", env.start(t).URL+basePath)
	call := func(f *fake, op generated.Operation, want string, opts ...wrapper.Option) {
		t.Helper()
		client, err := wrapper.New(opts...)
		if err != nil {
			t.Fatal(err)
		}
		before := len(f.requests(t))
		if err := perform(t, op, client, anID); err != nil {
			t.Error(err)
		}
		got := f.requests(t)[before:]
		if len(got) != 1 || got[0].Header.Get("Authorization") != "Bearer "+want {
			t.Errorf("arrived: %+v", got)
		}
	}
	call(env, generated.OpCreateM2MToken, "ak_env")
	call(env, generated.OpGetJWKS, "sk_test_env")
	call(env, generated.OpCreateM2MToken, "ak_given", wrapper.WithMachineSecretKey("ak_given"))
	call(env, generated.OpGetJWKS, "sk_test_env", wrapper.WithMachineSecretKey("ak_given"))
	call(env, generated.OpGetJWKS, "sk_test_given", wrapper.WithSecretKey("sk_test_given"))
	call(given, generated.OpGetJWKS, "sk_test_env", wrapper.WithBaseURL(given.start(t).URL+basePath))

	client := newClient(t) // WithoutEnv
	if client.HasMachineSecretKey() || client.HasSecretKey() {
		t.Error("WithoutEnv reads the environment")
	}
	if err := perform(t, generated.OpGetJWKS, client, anID); !isCredentialError(err) {
		t.Errorf("without a credential: %v", err)
	}
	for _, last := range []bool{true, false} { // its place among the options does not matter
		opts := []wrapper.Option{wrapper.WithoutEnv(), wrapper.WithSecretKey("sk_test_given")}
		if last {
			opts[0], opts[1] = opts[1], opts[0]
		}
		if c, err := wrapper.New(opts...); err != nil || c.HasMachineSecretKey() || !c.HasSecretKey() {
			t.Errorf("WithoutEnv last: %t, %v", last, err)
		}
	}
}

// What is wrong in the environment is said by the variable's name, and only where it is used.
func TestBrokenEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"CLERK_MACHINE_SECRET_KEY": "sk_test_hush", "CLERK_SECRET_KEY": "sk_test_hush\n", "CLERK_API_URL": "http://u:hush@clerk.example",
	} {
		t.Run(name, func(t *testing.T) {
			for _, other := range []string{"CLERK_MACHINE_SECRET_KEY", "CLERK_SECRET_KEY", "CLERK_API_URL"} {
				t.Setenv(other, "")
			}
			t.Setenv(name, value)
			_, err := wrapper.New()
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("the error is %v", err)
			}
			shows(t, "the error", fmt.Sprintf("%v %+v %#v", err, err, err))
			if _, err := wrapper.New(wrapper.WithMachineSecretKey(machineKey), wrapper.WithSecretKey(instanceKey), wrapper.WithBaseURL("https://clerk.example")); err != nil {
				t.Errorf("it is read though an option is given: %v", err)
			}
			t.Setenv(name, "")
			if _, err := wrapper.New(); err != nil {
				t.Errorf("empty: %v", err)
			}
		})
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]wrapper.Option{
		"nil":           nil,
		"HTTP client":   wrapper.WithHTTPClient(nil),
		"editor":        wrapper.WithRequestEditor(nil),
		"logger":        wrapper.WithLogger(nil),
		"hook":          wrapper.WithAttemptHook(nil),
		"retries":       wrapper.WithMaxRetries(-1),
		"timeout":       wrapper.WithAttemptTimeout(0),
		"timeout below": wrapper.WithAttemptTimeout(-time.Second),
		"version":       wrapper.WithAPIVersion(""),
	} {
		if c, err := wrapper.New(wrapper.WithoutEnv(), opt); err == nil || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A redirect is not followed: it would take the credential along, to another host or another port of the same.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := newFake()
	target := other.start(t).URL + basePath + "/jwks"
	port := strings.Replace(target, "127.0.0.1", "localhost", 1)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{target, port, "/api/v1/machines", "//clerk.example/", ""} {
			f := newFake(answer(status, "", "Location", to))
			for _, op := range []generated.Operation{generated.OpGetJWKS, generated.OpCreateM2MToken} {
				err := perform(t, op, f.client(t), anID)
				if e, is := errors.AsType[*wrapper.APIError](err); !is || e.Status != status || !strings.Contains(err.Error(), "redirects are not followed") {
					t.Errorf("%d to %s: the error is %v", status, to, err)
				}
			}
			if n := len(f.requests(t)); n != 2 {
				t.Errorf("%d to %s: %d requests arrived", status, to, n)
			}
		}
	}
	if n := len(other.requests(t)); n != 0 {
		t.Errorf("%d requests were redirected", n)
	}
}

// The caller's client is as before, and its transport, jar and timeout are used.
func TestCallersHTTPClient(t *testing.T) {
	t.Parallel()
	f := newFake(answer(302, "", "Location", "/api/v1/jwks", "Set-Cookie", "lb=1"), ok(generated.OpGetJWKS), hang)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	caller := &http.Client{
		Transport: f.start(t).Client().Transport, Jar: jar, Timeout: 200 * time.Millisecond,
		CheckRedirect: func(*http.Request, []*http.Request) error { checked++; return nil },
	}
	before, redirect := *caller, reflect.ValueOf(caller.CheckRedirect).Pointer()
	client := f.bare(t, wrapper.WithSecretKey(instanceKey), wrapper.WithHTTPClient(caller), wrapper.WithMaxRetries(0), wrapper.WithAttemptTimeout(time.Minute))
	if _, err := client.Keys.JWKS(t.Context()); err == nil || checked != 0 {
		t.Errorf("the redirect: %v", err)
	}
	if _, err := client.Keys.JWKS(t.Context()); err != nil || f.requests(t)[1].Header.Get("Cookie") != "lb=1" {
		t.Errorf("the cookie did not come back: %v", err)
	}
	if _, err := client.Keys.JWKS(t.Context()); !errors.Is(err, wrapper.ErrUnavailable) {
		t.Errorf("the client's own timeout: %v", err)
	}
	if caller.Transport != before.Transport || caller.Jar != before.Jar || caller.Timeout != before.Timeout || reflect.ValueOf(caller.CheckRedirect).Pointer() != redirect {
		t.Error("the caller's client was changed")
	}
	if http.DefaultClient.CheckRedirect != nil || http.DefaultClient.Transport != nil {
		t.Error("the default client was changed")
	}
}

// The cause of a fault is kept, without the URL around it, which may hold what is secret.
func TestCausesAreKept(t *testing.T) {
	t.Parallel()
	broken := errors.New("no route")
	client := newClient(t, wrapper.WithSecretKey(instanceKey), wrapper.WithMaxRetries(0),
		wrapper.WithHTTPClient(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, broken })}))
	_, err := client.Keys.JWKS(t.Context())
	if _, is := errors.AsType[*url.Error](err); is || !errors.Is(err, broken) || !errors.Is(err, wrapper.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
}
