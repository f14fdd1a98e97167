// Package contract judges what goes over the wire by openapi/machine-auth.yaml while tests run: each request and each
// reply, and at the end whether every operation was seen.
package contract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/m2mauth/clerk-m2m/internal/spec"
)

// Transport is an [http.RoundTripper] that refuses requests and replies that break the spec. A request that does is
// not sent. It is safe for concurrent use.
type Transport struct {
	base http.RoundTripper
	path string
	spec *spec.Spec

	mu         sync.Mutex
	violations []*Violation
	seen       map[string]map[int]int // by operationId, then status
}

// NewTransport makes a transport that sends by base. The API is expected below path, such as "/v1".
func NewTransport(base http.RoundTripper, path string) (*Transport, error) {
	s, err := spec.Load()
	if err != nil {
		return nil, err
	}
	return &Transport{base: base, path: path, spec: s, seen: make(map[string]map[int]int)}, nil
}

// Violation is a request or a reply that breaks the spec. It holds no credential.
type Violation struct {
	Operation string // the operationId; "" when the request matches none
	Method    string
	Status    int            // the reply's; 0 for a request
	Problems  []spec.Problem // all that is wrong
}

// Error says what broke the spec, where and how.
func (v *Violation) Error() string {
	what := "request"
	if v.Status != 0 {
		what = fmt.Sprintf("reply %d", v.Status)
	}
	all := make([]string, len(v.Problems))
	for i, p := range v.Problems {
		all[i] = p.String()
	}
	return fmt.Sprintf("contract: %s %s: the %s breaks the spec: %s", v.Method, v.Operation, what, strings.Join(all, "; "))
}

// RoundTrip implements [http.RoundTripper]. What breaks the spec is a [*Violation], returned and kept.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readAll(req.Body)
	if err != nil {
		return nil, err
	}
	route, err := t.spec.Route(req, t.path)
	if err != nil {
		return nil, t.violated(&Violation{Method: req.Method, Problems: []spec.Problem{{In: "path", Reason: err.Error()}}})
	}
	if found := route.CheckRequest(body, credentialOf(req)); len(found) > 0 {
		return nil, t.violated(&Violation{Operation: route.Operation(), Method: req.Method, Problems: found})
	}

	sent := req.Clone(req.Context())
	sent.Body, sent.ContentLength = http.NoBody, 0
	if len(body) > 0 {
		sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	resp, err := t.base.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	body, err = readAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if found := route.CheckReply(resp.StatusCode, resp.Header, body); len(found) > 0 {
		return nil, t.violated(&Violation{Operation: route.Operation(), Method: req.Method, Status: resp.StatusCode, Problems: found})
	}
	t.count(route.Operation(), resp.StatusCode)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// Violations gives what broke the spec so far.
func (t *Transport) Violations() []*Violation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*Violation(nil), t.violations...)
}

func (t *Transport) violated(v *Violation) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violations = append(t.violations, v)
	return v
}

func (t *Transport) count(operation string, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[operation] == nil {
		t.seen[operation] = make(map[int]int)
	}
	t.seen[operation][status]++
}

func readAll(body io.ReadCloser) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	read, err := io.ReadAll(body)
	return read, errors.Join(err, body.Close())
}

// credentialOf tells the kind of a request's credential by its prefix. Its value does not show in the errors.
func credentialOf(req *http.Request) spec.Authenticate {
	prefixes := map[string]string{"machineSecretKey": "ak_", "secretKey": "sk_"}
	return func(scheme string) error {
		prefix, ok := prefixes[scheme]
		if !ok {
			return fmt.Errorf("the security scheme %s is not known here", scheme)
		}
		values := req.Header.Values("Authorization")
		if len(values) != 1 {
			return fmt.Errorf("%s: there are %d Authorization headers, not one", scheme, len(values))
		}
		if key, ok := strings.CutPrefix(values[0], "Bearer "); !ok || !strings.HasPrefix(key, prefix) {
			return fmt.Errorf("%s: the credential does not begin with %s", scheme, prefix)
		}
		return nil
	}
}
