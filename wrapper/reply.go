package wrapper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/internal/strictjson"
)

// result makes a typed result of a reply, or an error of anything that does not prove one.
func result[T any](op *generated.Operation, resp *http.Response, err error) (*T, error) {
	return verified(op, resp, err, func(*T) error { return nil })
}

// verified is result with a last check of what the reply says.
func verified[T any](op *generated.Operation, resp *http.Response, err error, check func(*T) error) (*T, error) {
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != op.Status {
		return nil, refusal(op, resp, body)
	}
	if err == nil {
		err = prove(op, resp.Header.Get("Content-Type"), body)
	}
	v := new(T)
	if err == nil {
		err = decode(body, v)
	}
	if err == nil {
		err = check(v)
	}
	if err != nil {
		return nil, &APIError{Operation: op.ID, Status: resp.StatusCode, TraceID: traceID(resp, errorBody(resp, body)), Err: err}
	}
	return v, nil
}

// decode says what is wrong with JSON without quoting a value from it, as an error of encoding/json may.
func decode(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w: its member %q is no %s", ErrInvalidReply, t.Field, t.Type)
	}
	if err != nil {
		return fmt.Errorf("%w: it is not JSON", ErrInvalidReply)
	}
	return nil
}

// prove checks that a body is what the spec promises of a success: JSON, the expected object, its ids in it.
func prove(op *generated.Operation, contentType string, body []byte) error {
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return fmt.Errorf("%w: its media type is not application/json", ErrInvalidReply)
	}
	text := string(body)
	if op.List == "" {
		return proveObject(op, text)
	}
	var list string
	if err := members(text, func(name, value string) {
		if name == op.List {
			list = value
		}
	}); err != nil {
		return err
	}
	var items []json.RawMessage
	if err := json.Unmarshal([]byte(list), &items); err != nil || items == nil {
		return fmt.Errorf("%w: it has no list %q", ErrInvalidReply, op.List)
	}
	if op.Object == "" && len(op.Required) == 0 {
		return nil
	}
	for i, item := range items {
		if err := proveObject(op, string(item)); err != nil {
			return fmt.Errorf("item %d of %q: %w", i, op.List, err)
		}
	}
	return nil
}

// proveObject checks one object: that it does not say it is inactive, that it is what it should be, and has its ids.
func proveObject(op *generated.Operation, text string) error {
	var object string
	inactive, found := false, 0
	if err := members(text, func(name, value string) {
		s, isString := strictjson.String(value)
		switch {
		case name == "active" && value == "false":
			inactive = true
		case name == "object":
			object = s
		}
		if isString && s != "" && slices.Contains(op.Required, name) {
			found++
		}
	}); err != nil {
		return err
	}
	switch {
	case inactive:
		return ErrInactiveToken
	case op.Object != "" && object != op.Object:
		return fmt.Errorf("%w: its object is not %q", ErrInvalidReply, op.Object)
	case found < len(op.Required):
		return fmt.Errorf("%w: it has not all of %q", ErrInvalidReply, op.Required)
	}
	return nil
}

// members reads an object. It refuses one that has a member twice, also by names that differ in case: encoding/json
// takes either for the field, so that what is proven here would not be what is decoded.
func members(text string, f func(name, value string)) error {
	var odd []string
	if !strictjson.Members(text, func(name, value string) {
		if folded := fold(name); folded != name {
			odd = append(odd, folded)
		}
		f(name, value)
	}) {
		return fmt.Errorf("%w: it is not a JSON object with unique names", ErrInvalidReply)
	}
	if odd == nil {
		return nil
	}
	slices.Sort(odd)
	twice := len(slices.Compact(slices.Clone(odd))) < len(odd)
	strictjson.Members(text, func(name, _ string) { twice = twice || slices.Contains(odd, name) })
	if twice {
		return fmt.Errorf("%w: it has a member twice, by names that differ in case", ErrInvalidReply)
	}
	return nil
}

// fold gives what encoding/json takes a name for.
func fold(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf }) {
		return name
	}
	return strings.ToLower(strings.ToUpper(name))
}

// live makes an error of a token that Clerk knows as revoked or expired, so that a verified one is always live.
func live(revoked, expired bool) error {
	switch {
	case revoked:
		return fmt.Errorf("%w: it was revoked", ErrInactiveToken)
	case expired:
		return fmt.Errorf("%w: it has expired", ErrInactiveToken)
	}
	return nil
}

// refusal makes an error of a reply that is not a success, whatever its body is.
func refusal(op *generated.Operation, resp *http.Response, body []byte) *APIError {
	said := errorBody(resp, body)
	e := &APIError{
		Operation:  op.ID,
		Status:     resp.StatusCode,
		TraceID:    traceID(resp, said),
		RetryAfter: retryAfter(resp.Header, time.Now()),
	}
	if resp.StatusCode < 300 {
		e.Err = fmt.Errorf("%w: its status is not %d", ErrInvalidReply, op.Status)
		return e
	}
	redact := redactor(resp.Request)
	for _, item := range said.Errors {
		e.Errors = append(e.Errors, ErrorItem{
			Code:        redact(item.Code),
			Message:     redact(item.Message),
			LongMessage: redact(item.LongMessage),
			Meta:        redactMeta(redact, item.Meta),
		})
	}
	return e
}

// traceID gives what names a request to Clerk's support: what the body of an error says, else the header.
func traceID(resp *http.Response, said generated.ErrorBody) string {
	if id := said.ClerkTraceID; id != nil && *id != "" {
		return redactor(resp.Request)(*id)
	}
	return resp.Header.Get("Cf-Ray")
}

// errorBody reads what can be read of an error's body.
func errorBody(resp *http.Response, body []byte) (said generated.ErrorBody) {
	if resp.StatusCode < 300 {
		return said
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media == "application/json" || strings.HasSuffix(media, "+json") {
		_ = json.Unmarshal(body, &said) // a member of another type is left out, the others are read
	}
	return said
}
