package wrapper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/m2mauth/clerk-m2m/generated"
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
		return nil, &APIError{Operation: op.ID, Status: resp.StatusCode, TraceID: traceID(resp, body), Err: err}
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
	object, err := members(body)
	if err != nil {
		return err
	}
	if op.List == "" {
		return proveObject(op, object)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(object[op.List], &items); err != nil || items == nil {
		return fmt.Errorf("%w: it has no list %q", ErrInvalidReply, op.List)
	}
	if op.Object == "" && len(op.Required) == 0 {
		return nil
	}
	for i, item := range items {
		object, err := members(item)
		if err == nil {
			err = proveObject(op, object)
		}
		if err != nil {
			return fmt.Errorf("item %d of %q: %w", i, op.List, err)
		}
	}
	return nil
}

// members reads an object. It refuses one that has a member twice by names that differ in case: encoding/json takes
// either for the field, so that what is proven here would not be what is decoded.
func members(body []byte) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return nil, fmt.Errorf("%w: it is not a JSON object", ErrInvalidReply)
	}
	for name := range object {
		if !strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf }) {
			continue
		}
		if folded := strings.ToLower(strings.ToUpper(name)); folded != name && object[folded] != nil {
			return nil, fmt.Errorf("%w: it has %q twice", ErrInvalidReply, folded)
		}
	}
	return object, nil
}

func proveObject(op *generated.Operation, object map[string]json.RawMessage) error {
	if string(object["active"]) == "false" {
		return ErrInactiveToken
	}
	if op.Object != "" && text(object["object"]) != op.Object {
		return fmt.Errorf("%w: its object is not %q", ErrInvalidReply, op.Object)
	}
	for _, name := range op.Required {
		if text(object[name]) == "" {
			return fmt.Errorf("%w: it has no %q", ErrInvalidReply, name)
		}
	}
	return nil
}

func text(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
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
	e := &APIError{
		Operation:  op.ID,
		Status:     resp.StatusCode,
		TraceID:    traceID(resp, body),
		RetryAfter: retryAfter(resp.Header, time.Now()),
	}
	if resp.StatusCode < 300 {
		e.Err = fmt.Errorf("%w: its status is not %d", ErrInvalidReply, op.Status)
		return e
	}
	redact := redactor(resp.Request)
	for _, item := range errorBody(resp, body).Errors {
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
func traceID(resp *http.Response, body []byte) string {
	if id := errorBody(resp, body).ClerkTraceID; id != nil && *id != "" {
		return redactor(resp.Request)(*id)
	}
	return resp.Header.Get("Cf-Ray")
}

// errorBody reads what can be read of an error's body.
func errorBody(resp *http.Response, body []byte) (said generated.ErrorBody) {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode >= 300 && (media == "application/json" || strings.HasSuffix(media, "+json")) {
		_ = json.Unmarshal(body, &said) // a member of another type is left out, the others are read
	}
	return said
}
