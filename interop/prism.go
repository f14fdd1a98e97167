package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

const prismScript = "node_modules/@stoplight/prism-cli/dist/index.js"

var prismServes = regexp.MustCompile(`Prism is listening on (http://\S+)`)

// runPrism has every operation of the client judged by Prism, which knows only the spec. Prism says what is wrong with
// a request in the header sl-violations, and cannot be trusted to say so with its status.
func runPrism(ctx context.Context, r *report, spec string) {
	r.begin("prism", "our client against a server that knows nothing but openapi/machine-auth.yaml")
	startCtx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := node(ctx, prismScript, "mock", "--errors", "--multiprocess", "false", "--host", "127.0.0.1", "--port", "0", spec)
	prism, url, err := serve(startCtx, cmd, func(line string) string {
		if m := prismServes.FindStringSubmatch(line); m != nil {
			return m[1]
		}
		return ""
	})
	r.check("starts", err)
	if err != nil {
		return
	}
	defer prism.stop()

	transport := &prismTransport{}
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL(url+"/v1"), wrapper.WithMaxRetries(0),
		wrapper.WithAttemptTimeout(30*time.Second), wrapper.WithHTTPClient(&http.Client{Transport: transport}),
		wrapper.WithMachineSecretKey("ak_prism"), wrapper.WithSecretKey("sk_test_prism"))
	if err != nil {
		r.check("client", err)
		return
	}

	cases := prismCases()
	for _, c := range cases {
		transport.reset(nil)
		r.check(c.operation+" is sent as the spec says", transport.valid(c.call(ctx, client)))
		transport.reset(c.breaks)
		_ = c.call(ctx, client) // Prism may answer a broken request with anything
		r.check(c.operation+" is reported when broken: "+c.wants.String(), transport.reported(c.wants))
	}
	r.check("every operation of the spec has a case", covers(cases, generated.Operations()))
}

// prismCase is one operation: a call that the spec allows, and how to break its request.
type prismCase struct {
	operation string
	call      func(context.Context, *wrapper.Client) error
	breaks    func(*http.Request)
	wants     violation
}

// violation is what Prism reports of a request.
type violation struct {
	Location []string `json:"location"`
	Code     any      `json:"code"` // a JSON Schema keyword, or a status where the request lacks a credential
	Message  string   `json:"message"`
}

func (v violation) String() string {
	return fmt.Sprintf("%v in %s", v.Code, strings.Join(v.Location, "."))
}

func covers(cases []prismCase, operations []generated.Operation) error {
	var have, want []string
	for _, c := range cases {
		have = append(have, c.operation)
	}
	for _, op := range operations {
		want = append(want, op.ID)
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return fmt.Errorf("there are cases for %v, operations %v", have, want)
	}
	return nil
}

// prismTransport serves /v1 from Prism, which serves the paths of a spec without the path of its server. It breaks the
// request where told to, and keeps what Prism reports.
type prismTransport struct {
	breaks     func(*http.Request)
	sent       int
	violations []violation
	err        error
}

func (t *prismTransport) reset(breaks func(*http.Request)) { *t = prismTransport{breaks: breaks} }

// valid tells whether one request was sent, nothing was wrong with it, and the call succeeded.
func (t *prismTransport) valid(callErr error) error {
	var errs []error
	if t.sent != 1 {
		errs = append(errs, fmt.Errorf("%d requests were sent", t.sent))
	}
	for _, v := range t.violations {
		errs = append(errs, fmt.Errorf("%s: %s", v, v.Message))
	}
	return errors.Join(append(errs, t.err, callErr)...)
}

// reported tells whether Prism reported exactly this of the one request.
func (t *prismTransport) reported(want violation) error {
	if t.err != nil {
		return t.err
	}
	if t.sent != 1 || len(t.violations) != 1 || t.violations[0].String() != want.String() {
		return fmt.Errorf("of %d requests Prism reported %v", t.sent, t.violations)
	}
	return nil
}

func (t *prismTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.sent++
	req = req.Clone(req.Context())
	if !strings.HasPrefix(req.URL.Path, "/v1/") {
		t.err = fmt.Errorf("%s is not below /v1", req.URL.Path)
	}
	req.URL.Path = strings.TrimPrefix(req.URL.Path, "/v1")
	req.URL.RawPath = strings.TrimPrefix(req.URL.RawPath, "/v1")
	if t.breaks != nil {
		t.breaks(req)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.err = err
		return nil, err
	}
	if v := resp.Header.Get("Sl-Violations"); v != "" {
		if err := json.Unmarshal([]byte(v), &t.violations); err != nil {
			t.err = fmt.Errorf("sl-violations cannot be read: %w", err)
		}
	}
	return resp, nil
}

// Ways to break a request.

func withoutCredential(req *http.Request) { req.Header.Del("Authorization") }

func query(name, value string) func(*http.Request) {
	return func(req *http.Request) {
		q := req.URL.Query()
		if value == "" {
			q.Del(name)
		} else {
			q.Set(name, value)
		}
		req.URL.RawQuery = q.Encode()
	}
}

// path replaces old in the request's path; every case's path holds it.
func path(old, with string) func(*http.Request) {
	return func(req *http.Request) { req.URL.Path = strings.Replace(req.URL.Path, old, with, 1) }
}

func body(json string) func(*http.Request) {
	return func(req *http.Request) {
		req.Body = io.NopCloser(bytes.NewReader([]byte(json)))
		req.ContentLength = int64(len(json))
	}
}
