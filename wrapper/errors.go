package wrapper

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What an [*APIError] can be, for errors.Is.
var (
	// ErrUnauthorized is a 401: Clerk does not accept the credential that the call was made with.
	ErrUnauthorized = errors.New("clerk does not accept the credential")
	// ErrForbidden is a 403: the credential is accepted, but not for this.
	ErrForbidden = errors.New("clerk forbids it")
	// ErrNotFound is a 404: what was asked for does not exist, or not for this credential.
	ErrNotFound = errors.New("clerk does not find it")
	// ErrConflict is a 409: it contradicts what exists.
	ErrConflict = errors.New("it conflicts with what exists")
	// ErrRateLimited is a 429: too many calls; APIError.RetryAfter says when to come back, where Clerk did.
	ErrRateLimited = errors.New("clerk limits the rate of calls")
	// ErrUnavailable is a 5xx, or no reply at all: whether the call had an effect is not known.
	ErrUnavailable = errors.New("clerk is unavailable")
	// ErrInvalidReply is a reply that does not prove a success though its status says so: not JSON, not the expected
	// object, without its ids, or too large.
	ErrInvalidReply = errors.New("the reply is not what the spec promises")
	// ErrInactiveToken is a reply that says that the token to verify is revoked, expired or not active.
	ErrInactiveToken = errors.New("the token is not active")
)

// APIError is a call that did not succeed, with all that is known of why. It holds no credential: where Clerk's text
// quotes one, it is redacted.
type APIError struct {
	Operation  string        // the operationId, such as "createM2MToken"
	Status     int           // the HTTP status; 0 when no reply came
	Errors     []ErrorItem   // what Clerk said was wrong; empty when the reply was not Clerk's JSON
	TraceID    string        // names the request to Clerk's support: clerk_trace_id, else the Cf-Ray header
	RetryAfter time.Duration // how long Clerk asks to wait (RFC 9110, section 10.2.3); 0 when it does not say
	Err        error         // the cause, where it is not the status alone
}

// Error says what failed, what Clerk said, and what to do next.
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString("clerk: " + e.Operation + ": ")
	if e.Status != 0 {
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))))
	} else {
		b.WriteString("no reply")
	}
	for _, item := range e.Errors[:min(len(e.Errors), 10)] {
		text := item.LongMessage
		if text == "" {
			text = item.Message
		}
		if item.Code != "" {
			fmt.Fprintf(&b, ": %.100s", item.Code)
		}
		if text != "" {
			fmt.Fprintf(&b, ": %.500s", text)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if hint := e.hint(); hint != "" {
		b.WriteString("; " + hint)
	}
	if e.TraceID != "" {
		fmt.Fprintf(&b, " (trace %.100s)", e.TraceID)
	}
	return b.String()
}

func (e *APIError) hint() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "check the secret key that the call is made with"
	case e.Status == http.StatusTooManyRequests && e.RetryAfter > 0:
		return fmt.Sprintf("come back in %s", e.RetryAfter)
	case e.Status >= 300 && e.Status < 400:
		return "redirects are not followed; check the base URL"
	}
	return ""
}

// Unwrap gives the cause.
func (e *APIError) Unwrap() error { return e.Err }

// Is makes errors.Is tell the error by its status.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrUnavailable:
		return e.Status >= 500 || e.Status == 0 && !errors.Is(e.Err, context.Canceled)
	}
	return false
}

// Codes gives Clerk's error codes, such as "resource_not_found", in the order of Errors.
func (e *APIError) Codes() []string {
	codes := make([]string, len(e.Errors))
	for i, item := range e.Errors {
		codes[i] = item.Code
	}
	return codes
}

// CredentialError is a call that was not sent, or a client that was not made, for want of a credential that fits.
type CredentialError struct {
	Operation  string         // the operationId; "" when the key itself is at fault
	Takes      CredentialKind // what the operation takes
	Given      CredentialKind // the kind of the credential that was given for this call; 0 when none was
	Configured CredentialKind // what the client is configured with, when none was given
	Err        error          // what is wrong with the key itself
}

// Error says which credential is needed and how to give it.
func (e *CredentialError) Error() string {
	switch {
	case e.Err != nil:
		return "clerk: " + kindNames(e.Given) + ": " + e.Err.Error()
	case e.Given != 0:
		return fmt.Sprintf("clerk: %s takes %s, and the call was given %s: not sent", e.Operation, kindNames(e.Takes), kindNames(e.Given))
	case e.Configured != 0:
		return fmt.Sprintf("clerk: %s takes %s, and the client has only %s; %s", e.Operation, kindNames(e.Takes), kindNames(e.Configured), howToGive(e.Takes))
	}
	return fmt.Sprintf("clerk: %s takes %s, and the client has no credential; %s", e.Operation, kindNames(e.Takes), howToGive(e.Takes))
}

// Unwrap gives what is wrong with the key, if that is the fault.
func (e *CredentialError) Unwrap() error { return e.Err }

func kindNames(set CredentialKind) string {
	var names []string
	if set.Has(MachineSecretKeyKind) {
		names = append(names, "a machine's secret key")
	}
	if set.Has(SecretKeyKind) {
		names = append(names, "the instance's secret key")
	}
	return strings.Join(names, " or ")
}

func howToGive(set CredentialKind) string {
	var ways []string
	if set.Has(MachineSecretKeyKind) {
		ways = append(ways, "set CLERK_MACHINE_SECRET_KEY or use WithMachineSecretKey")
	}
	if set.Has(SecretKeyKind) {
		ways = append(ways, "set CLERK_SECRET_KEY or use WithSecretKey")
	}
	return strings.Join(ways, ", or ")
}

// IDError is a call that was not sent because an id in it cannot be one: ids go into the path of the request, where
// anything else would ask for something else.
type IDError struct {
	Operation string // the operationId
	Param     string // what the id identifies, as the spec names it
	Reason    string // what is wrong with it; the id itself is not repeated
}

// Error says what is wrong with the id.
func (e *IDError) Error() string {
	return fmt.Sprintf("clerk: %s: %s %s; an id looks like mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk", e.Operation, e.Param, e.Reason)
}
