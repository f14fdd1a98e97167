// Package spec judges HTTP requests and replies by openapi/machine-auth.yaml while a program runs. It is for tests and
// for the backend in memory; the client does not link it.
package spec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/m2mauth/clerk-m2m/openapi"
)

// Spec is the loaded specification. It is safe for concurrent use.
type Spec struct {
	doc   *openapi3.T
	paths []path
}

// path is a path template by its segments; a variable's is "{name}".
type path struct {
	template string
	segments []string
}

// Load gives the specification. It is read once per process.
var Load = sync.OnceValues(func() (*Spec, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi.MachineAuth())
	if err != nil {
		return nil, fmt.Errorf("reading machine-auth.yaml: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("machine-auth.yaml: %w", err)
	}
	s := &Spec{doc: doc}
	for _, template := range doc.Paths.InMatchingOrder() { // without variables first
		s.paths = append(s.paths, path{template, strings.Split(template, "/")})
	}
	return s, nil
})

// Route is a request matched to its operation.
type Route struct {
	route   *routers.Route
	params  map[string]string
	request *http.Request // a copy; its body is what the checks are given

	path, escaped string // below the base
}

// Statuses gives the statuses that each operation declares, by operationId. The default reply is not among them.
func (s *Spec) Statuses() map[string][]string {
	all := make(map[string][]string)
	for _, item := range s.doc.Paths.Map() {
		for _, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if status != "default" {
					all[op.OperationID] = append(all[op.OperationID], status)
				}
			}
			slices.Sort(all[op.OperationID])
		}
	}
	return all
}

var (
	// ErrNoPath is a request to a path that the spec does not have.
	ErrNoPath = errors.New("the spec has no such path")
	// ErrNoMethod is a request to a path that the spec has, with a method that it does not.
	ErrNoMethod = errors.New("the spec has no such method on that path")
)

// Route finds the operation of a request whose path stands below base, such as "/v1".
func (s *Spec) Route(r *http.Request, base string) (*Route, error) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), base)
	if !ok || !strings.HasPrefix(rest, "/") {
		return nil, ErrNoPath
	}
	unescaped, err := url.PathUnescape(rest)
	if err != nil {
		return nil, ErrNoPath
	}
	segments := strings.Split(rest, "/")
	for _, p := range s.paths {
		params, ok := p.match(segments)
		if !ok {
			continue
		}
		item := s.doc.Paths.Value(p.template)
		operation := item.GetOperation(r.Method)
		if operation == nil {
			return nil, ErrNoMethod
		}
		clone := r.Clone(r.Context())
		clone.Body, clone.GetBody = http.NoBody, nil
		return &Route{
			route:   &routers.Route{Spec: s.doc, Path: p.template, PathItem: item, Method: r.Method, Operation: operation},
			params:  params,
			request: clone,
			path:    unescaped,
			escaped: rest,
		}, nil
	}
	return nil, ErrNoPath
}

// match compares the segments of an escaped path, so that an escaped slash stays within its segment.
func (p path) match(segments []string) (params map[string]string, ok bool) {
	if len(segments) != len(p.segments) {
		return nil, false
	}
	params = make(map[string]string)
	for i, segment := range p.segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			value, err := url.PathUnescape(segments[i])
			if err != nil || value == "" {
				return nil, false
			}
			params[strings.TrimSuffix(name, "}")] = value
		} else if segment != segments[i] {
			return nil, false
		}
	}
	return params, true
}

// Operation gives the operationId.
func (r *Route) Operation() string { return r.route.Operation.OperationID }

// Target gives the path below the base, unescaped and escaped.
func (r *Route) Target() (path, escaped string) { return r.path, r.escaped }

// Authenticate tells whether a request may bear what a security scheme of the spec asks for, by the scheme's name.
type Authenticate func(scheme string) error

// CheckRequest judges the request with this body, and gives all that is wrong with it. Without an Authenticate,
// credentials are not looked at.
func (r *Route) CheckRequest(body []byte, authenticate Authenticate) []Problem {
	if r.route.Operation.RequestBody != nil && len(body) > 0 {
		media, _, err := mime.ParseMediaType(r.request.Header.Get("Content-Type"))
		if err != nil || media != "application/json" {
			return []Problem{{In: "header", Name: "Content-Type", Reason: "must be application/json"}}
		}
	}
	return problems(openapi3filter.ValidateRequest(r.request.Context(), r.input(body, authenticate)))
}

// CheckReply judges a reply to the request, and gives all that is wrong with it.
func (r *Route) CheckReply(status int, header http.Header, body []byte) []Problem {
	// The default reply is an error's: it declares no success and no redirect, and some of the latter are not looked at.
	declared := r.route.Operation.Responses.Status(status) != nil
	if !declared && status < http.StatusBadRequest {
		return []Problem{{In: "status", Reason: fmt.Sprintf("%d is not declared", status)}}
	}
	if media, _, err := mime.ParseMediaType(header.Get("Content-Type")); err != nil || media != "application/json" {
		return []Problem{{In: "header", Name: "Content-Type", Reason: "must be application/json"}}
	}
	return problems(openapi3filter.ValidateResponse(r.request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: r.input(nil, nil),
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                options(nil),
	}))
}

func (r *Route) input(body []byte, authenticate Authenticate) *openapi3filter.RequestValidationInput {
	request := *r.request
	request.Body = io.NopCloser(bytes.NewReader(body))
	request.ContentLength = int64(len(body))
	return &openapi3filter.RequestValidationInput{
		Request:    &request,
		PathParams: r.params,
		Route:      r.route,
		Options:    options(authenticate),
	}
}

func options(authenticate Authenticate) *openapi3filter.Options {
	o := &openapi3filter.Options{
		MultiError:            true,
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true, // otherwise the validator writes them into the request
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
	}
	if authenticate != nil {
		o.AuthenticationFunc = func(_ context.Context, in *openapi3filter.AuthenticationInput) error {
			return authenticate(in.SecuritySchemeName)
		}
	}
	return o
}
