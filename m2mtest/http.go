package m2mtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/internal/spec"
)

const (
	maxBody = 1 << 20
	// publicJWKS is where the Frontend API serves the key set.
	publicJWKS = "/.well-known/jwks.json"
)

// reply is an answer before it is sent, so that a fault can spoil it.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newReply() *reply { return &reply{header: make(http.Header)} }

func (r *reply) Header() http.Header         { return r.header }
func (r *reply) WriteHeader(status int)      { r.status = status }
func (r *reply) Write(b []byte) (int, error) { return r.body.Write(b) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only if a value holds raw JSON that is none
		http.Error(w, "the answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // into memory
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := Call{Method: r.Method, Path: safePath(r), Time: s.Now()}
	route, err := s.route(r)
	public := r.Method == http.MethodGet && r.URL.Path == publicJWKS
	switch {
	case public:
		c.Operation = generated.OpGetJWKS.ID
	case err == nil:
		c.Operation = route.Operation()
	}

	fault := s.fault(c.Operation)
	out := newReply()
	switch {
	case fault.strikesFirst():
		c.Fault = true
		s.spoil(fault, out)
	case public:
		s.mu.Lock()
		set := s.keys.public()
		s.mu.Unlock()
		writeJSON(out, http.StatusOK, set)
	case errors.Is(err, spec.ErrNoMethod):
		s.writeRefusal(out, refuse(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed", "There is no such method on that path."))
	case err != nil:
		s.writeRefusal(out, notFound("There is no such path in the API."))
	default:
		s.handle(out, r, route, &c)
	}
	if fault != nil && !c.Fault {
		c.Fault = true
		s.spoil(fault, out)
	}
	if c.Status = out.status; fault != nil && fault.Reset {
		c.Status = 0
	}
	s.record(c)
	s.send(w, r, out, fault)
}

func (s *Server) route(r *http.Request) (*spec.Route, error) {
	route, err := s.spec.Route(r, "/v1")
	if errors.Is(err, spec.ErrNoPath) {
		return s.spec.Route(r, "")
	}
	return route, err
}

// handle answers a call to an operation of the spec.
func (s *Server) handle(out *reply, r *http.Request, route *spec.Route, c *Call) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		s.writeRefusal(out, badRequest("body", "", "could not be read to its end"))
		return
	}
	if len(body) > maxBody {
		s.writeRefusal(out, refuse(http.StatusRequestEntityTooLarge, "request_too_large", "Request too large", "The body is larger than "+strconv.Itoa(maxBody)+" bytes."))
		return
	}
	op := operations[route.Operation()]
	by, refused := s.authenticate(op, r)
	if refused == nil {
		c.Credential, c.MachineID = by.kind, by.machineID
		refused = s.limit(op, by)
	}
	if refused == nil {
		if found := route.CheckRequest(body, nil); len(found) > 0 {
			refused = badRequests(found)
		}
	}
	if refused != nil {
		s.writeRefusal(out, refused)
		return
	}
	// The generated handler knows the paths of the spec, without /v1.
	inner := r.Clone(context.WithValue(r.Context(), callKey{}, &call{by: by, body: body}))
	inner.URL.Path, inner.URL.RawPath = route.Target()
	s.api.ServeHTTP(out, inner)
}

// operations is the table of the spec by operationId.
var operations = func() map[string]*generated.Operation {
	all := generated.Operations()
	byID := make(map[string]*generated.Operation, len(all))
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	return byID
}()

// send sends an answer, or what a fault leaves of it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, out *reply, fault *Fault) {
	if fault != nil && fault.Latency > 0 {
		timer := time.NewTimer(fault.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		case <-s.closing.Done():
		}
	}
	if fault != nil && fault.Reset {
		resetConnection(w)
	}
	for name, values := range out.header {
		w.Header()[name] = slices.Clone(values)
	}
	body := out.body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(out.status)
	if fault != nil && fault.Truncate {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // the server then breaks the connection
	}
	_, _ = w.Write(body) // the caller may be gone
}

type callKey struct{}

// call is what the handler of an operation is told besides its parameters.
type call struct {
	by   principal
	body []byte
	now  time.Time
}

// api implements the interface generated from the spec.
type api struct{ *Server }

// serve answers with what f gives. The state is locked while it runs.
func (a api) serve(w http.ResponseWriter, r *http.Request, status int, f func(c *call) (any, *refusal)) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok {
		a.writeRefusal(w, unauthorized("authentication_invalid", "The call was not authenticated."))
		return
	}
	v, refused := func() (any, *refusal) {
		a.mu.Lock()
		defer a.mu.Unlock()
		c.now = a.Now()
		return f(c)
	}()
	if refused != nil {
		a.writeRefusal(w, refused)
		return
	}
	writeJSON(w, status, v)
}

// decode reads the body of a call, which has passed the spec.
func decode[T any](c *call) (v T, refused *refusal) {
	if err := json.Unmarshal(c.body, &v); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return v, badField(e.Field, "cannot be a "+e.Type.String())
		}
		return v, badRequest("body", "", "is not one JSON value")
	}
	return v, nil
}
