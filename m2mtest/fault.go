package m2mtest

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a rule for answers that are spoiled on purpose. Its zero value spoils nothing; members add up. Status and
// Reset strike before the call takes effect, unless AfterEffect is set; everything else strikes after it.
type Fault struct {
	Operation   string        // the operationId that is struck; "" is any call
	Probability float64       // of each call to be struck, from 0 to 1; 0 is every call
	Count       int           // how many calls are struck; 0 is without end
	Latency     time.Duration // how long the answer is held back
	Status      int           // the status that is answered instead, with an error body unless Body is set
	RetryAfter  time.Duration // with Status: the Retry-After header, in whole seconds, rounded up
	Reset       bool          // the connection is reset instead of an answer
	AfterEffect bool          // the call takes effect though Status or Reset says otherwise
	Truncate    bool          // the body ends halfway, and the connection with it
	Body        string        // the body that is answered instead
	ContentType string        // the media type that is answered instead
}

// rule is a fault and how often it has struck.
type rule struct {
	Fault
	struck int
}

// Faults adds faults. Each call is struck by the first of them that applies to it.
func (s *Server) Faults(faults ...Fault) {
	for _, f := range faults {
		if err := f.check(); err != nil {
			s.fail("%v", err)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.rules = append(s.rules, &rule{Fault: f})
	}
}

// ClearFaults ends all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// check refuses a fault that could never strike, which is a mistake in a test.
func (f Fault) check() error {
	switch {
	case f.Operation != "" && operations[f.Operation] == nil:
		return fmt.Errorf("a fault names the operation %q, which the spec does not have", f.Operation)
	case f.Probability < 0 || f.Probability > 1:
		return fmt.Errorf("a fault has the probability %v, which is not from 0 to 1", f.Probability)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("a fault has the status %d, which is not from 200 to 599", f.Status)
	case f.Count < 0 || f.Latency < 0 || f.RetryAfter < 0:
		return fmt.Errorf("a fault has a number below zero")
	case f.Status == 0 && f.RetryAfter > 0:
		return fmt.Errorf("a fault has a Retry-After and no status that goes with it")
	}
	return nil
}

// ParseFault reads a fault from text for a command line: members separated by commas, such as
// "operation=verifyM2MToken,status=503,retry-after=2s,probability=0.1" or "latency=200ms" or "reset,after-effect,count=1".
// The members are operation, probability, count, latency, status, retry-after, reset, after-effect, truncate, body and
// content-type.
func ParseFault(text string) (Fault, error) {
	var f Fault
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch name {
		case "operation":
			f.Operation = value
		case "probability":
			f.Probability, err = strconv.ParseFloat(value, 64)
		case "count":
			f.Count, err = strconv.Atoi(value)
		case "latency":
			f.Latency, err = time.ParseDuration(value)
		case "status":
			f.Status, err = strconv.Atoi(value)
		case "retry-after":
			f.RetryAfter, err = time.ParseDuration(value)
		case "reset":
			f.Reset = true
		case "after-effect":
			f.AfterEffect = true
		case "truncate":
			f.Truncate = true
		case "body":
			f.Body = value
		case "content-type":
			f.ContentType = value
		default:
			err = fmt.Errorf("there is no such member")
		}
		if err != nil {
			return Fault{}, fmt.Errorf("m2mtest: fault %q: %q: %w", text, name, err)
		}
	}
	if err := f.check(); err != nil {
		return Fault{}, fmt.Errorf("m2mtest: %w", err)
	}
	return f, nil
}

// fault gives the fault that strikes a call, or nil.
func (s *Server) fault(operation string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.rules, func(r *rule) bool {
		return (r.Operation == "" || r.Operation == operation) &&
			(r.Count == 0 || r.struck < r.Count) &&
			(r.Probability == 0 || s.chances.chance(r.Probability))
	})
	if i < 0 {
		return nil
	}
	s.rules[i].struck++
	f := s.rules[i].Fault
	return &f
}

// strikesFirst tells whether the call does not take effect.
func (f *Fault) strikesFirst() bool {
	return f != nil && !f.AfterEffect && (f.Status != 0 || f.Reset)
}

// spoil changes an answer.
func (s *Server) spoil(f *Fault, out *reply) {
	if f.Status != 0 {
		*out = *newReply()
		refused := refuse(f.Status, "fault", http.StatusText(f.Status), "This answer was ordered by a test.")
		if f.Status == http.StatusTooManyRequests {
			refused = tooManyRequests(0)
		}
		refused.retryAfter = f.RetryAfter
		s.writeRefusal(out, refused)
	}
	if f.Body != "" {
		out.body.Reset()
		out.body.WriteString(f.Body)
	}
	if f.ContentType != "" {
		out.header.Set("Content-Type", f.ContentType)
	}
}

// resetConnection ends the connection so that the caller sees it reset, and the handler.
func resetConnection(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not a close
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}
