package m2mtest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/internal/spec"
)

// refusal is an answer that is an error.
type refusal struct {
	status     int
	items      []generated.ErrorItem
	retryAfter time.Duration // 0 for none
}

func refuse(status int, code, message, long string) *refusal {
	return &refusal{status: status, items: []generated.ErrorItem{{Code: code, Message: message, LongMessage: long}}}
}

func notFound(long string) *refusal {
	return refuse(http.StatusNotFound, "resource_not_found", "Not found", long)
}

// badRequest refuses one part of a request.
func badRequest(in, name, reason string) *refusal {
	return badRequests([]spec.Problem{{In: in, Name: name, Reason: reason}})
}

// badField refuses a member of the body.
func badField(name, reason string) *refusal {
	return badRequests([]spec.Problem{{In: "body", Pointer: "/" + name, Reason: reason}})
}

// badRequests says of each problem where it is, in words and in meta for programs.
func badRequests(found []spec.Problem) *refusal {
	r := &refusal{status: http.StatusBadRequest}
	for _, p := range found {
		meta := map[string]any{"in": p.In}
		if p.Name != "" {
			meta["param_name"] = p.Name
		}
		if p.Pointer != "" {
			meta["pointer"] = p.Pointer
		}
		r.items = append(r.items, generated.ErrorItem{Code: "bad_request", Message: "Bad Request", LongMessage: p.String(), Meta: meta})
	}
	return r
}

// unprocessable refuses a member of the body, or a parameter, that the spec lets pass.
func unprocessable(code, name, long string) *refusal {
	r := refuse(http.StatusUnprocessableEntity, code, "Unprocessable", long)
	r.items[0].Meta = map[string]any{"param_name": name}
	return r
}

// writeRefusal answers with the refusal and a trace id.
func (s *Server) writeRefusal(w http.ResponseWriter, r *refusal) {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((r.retryAfter+time.Second-1)/time.Second), 10))
	}
	trace := s.traces.hexID("")
	writeJSON(w, r.status, generated.ErrorBody{Errors: r.items, ClerkTraceID: &trace})
}
