package m2mtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// maxCalls bounds what [Server.Calls] remembers.
const maxCalls = 10_000

// Call is one call that the server was sent. It holds no credential.
type Call struct {
	Operation  string                   // the operationId; "" when the spec has no such path and method
	Method     string                   // the HTTP method
	Path       string                   // the path without the query; what may be a credential in it is "*"
	Status     int                      // the status of the answer; 0 for a connection that was reset
	Time       time.Time                // when it came, by the server's clock
	Credential generated.CredentialKind // what it was made with; 0 when that was not accepted
	MachineID  string                   // the machine whose secret key it was made with; "" when it was not one
	Fault      bool                     // whether a fault struck
}

// String gives what a log needs on one line.
func (c Call) String() string {
	operation := c.Operation
	if operation == "" {
		operation = "(no operation)"
	}
	return fmt.Sprintf("%s %s %d %s", c.Method, c.Path, c.Status, operation)
}

// Calls gives the calls so far, in their order: the last 10000 at least.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// CallsTo gives how many calls there were to an operation, by its operationId.
func (s *Server) CallsTo(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c.Operation == operation {
			n++
		}
	}
	return n
}

func (s *Server) record(c Call) {
	s.mu.Lock()
	if len(s.calls) >= 2*maxCalls {
		s.calls = append(s.calls[:0], s.calls[maxCalls:]...)
	}
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	if s.hook != nil {
		s.hook(c)
	}
}

// literals are the fixed segments of the API's paths.
var literals = func() map[string]bool {
	known := map[string]bool{"v1": true, ".well-known": true, "jwks.json": true}
	for _, op := range generated.Operations() {
		for segment := range strings.SplitSeq(op.Path, "/") {
			known[segment] = true
		}
	}
	return known
}()

// safePath gives the path with everything masked that is neither fixed nor an id: a caller may have put a secret there.
func safePath(r *http.Request) string {
	segments := strings.Split(r.URL.Path, "/")
	for i, segment := range segments {
		if !literals[segment] && !pathIDShape.MatchString(segment) {
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "/")
}

// Cost is what the calls would have cost at Clerk's list prices of 2026-03-16, without the free allowance of a plan.
// What the Mint methods make is not counted.
type Cost struct {
	M2MTokensCreated    int // each $0.001; a token that was reused is not created
	APIKeysCreated      int // each $0.001
	OpaqueVerifications int // of M2M tokens and API keys, each $0.00001; JWTs are verified for free
}

// USD gives the sum in US dollars.
func (c Cost) USD() float64 {
	return float64(100*(c.M2MTokensCreated+c.APIKeysCreated)+c.OpaqueVerifications) / 100_000
}

// Cost gives what the calls so far would have cost.
func (s *Server) Cost() Cost {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cost
}
