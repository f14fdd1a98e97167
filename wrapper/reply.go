package wrapper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// result makes a typed result of a reply, or an error of anything that does not prove one.
func result[T any](op *generated.Operation, resp *http.Response, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, &APIError{Operation: op.ID, Status: resp.StatusCode, Err: err}
	}
	if resp.StatusCode != op.Status {
		return nil, refusal(op, resp, body)
	}
	v := new(T)
	if err := prove(op, resp.Header.Get("Content-Type"), body); err != nil {
		return nil, unproven(op, resp, err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		// The text of a JSON error can quote what is in the body.
		return nil, unproven(op, resp, fmt.Errorf("%w: %s", ErrInvalidReply, jsonFault(err)))
	}
	return v, nil
}

func unproven(op *generated.Operation, resp *http.Response, err error) *APIError {
	return &APIError{Operation: op.ID, Status: resp.StatusCode, TraceID: resp.Header.Get("Cf-Ray"), Err: err}
}

// jsonFault says what is wrong with JSON without quoting a value from it.
func jsonFault(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("its member %q is no %s", t.Field, t.Type)
	}
	return "it is not JSON"
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

func members(body []byte) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return nil, fmt.Errorf("%w: it is not a JSON object", ErrInvalidReply)
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

// live makes an error of a token that a verification gave as revoked or expired, so that a result is always a live one.
func live[T any](op *generated.Operation, token *T, err error, revoked, expired func(*T) bool) (*T, error) {
	switch {
	case err != nil:
		return nil, err
	case revoked(token):
		return nil, &APIError{Operation: op.ID, Status: op.Status, Err: fmt.Errorf("%w: it was revoked", ErrInactiveToken)}
	case expired(token):
		return nil, &APIError{Operation: op.ID, Status: op.Status, Err: fmt.Errorf("%w: it has expired", ErrInactiveToken)}
	}
	return token, nil
}

// refusal makes an error of a reply that is not a success, whatever its body is.
func refusal(op *generated.Operation, resp *http.Response, body []byte) *APIError {
	e := &APIError{
		Operation:  op.ID,
		Status:     resp.StatusCode,
		TraceID:    resp.Header.Get("Cf-Ray"),
		RetryAfter: retryAfter(resp.Header, time.Now()),
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		e.Err = fmt.Errorf("%w: its status is not %d", ErrInvalidReply, op.Status)
		return e
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return e
	}
	var said struct {
		Errors  []ErrorItem `json:"errors"`
		TraceID string      `json:"clerk_trace_id"`
	}
	if json.Unmarshal(body, &said) != nil {
		return e
	}
	if said.TraceID != "" {
		e.TraceID = redact(said.TraceID, resp.Request)
	}
	e.Errors = redactAll(said.Errors, resp.Request)
	return e
}

// credentials are the things that look like a credential of Clerk's, or a JWT.
var credentials = regexp.MustCompile(`\b(?:sk_(?:live|test)|ak|mt|oat|api_key)_\w{6,}|\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*`)

// redact takes credentials out of a text of Clerk's: the one that the request was made with, and whatever looks like one.
func redact(s string, req *http.Request) string {
	if req != nil {
		if _, key, _ := strings.Cut(req.Header.Get("Authorization"), " "); key != "" {
			s = strings.ReplaceAll(s, key, "[redacted]")
		}
	}
	return credentials.ReplaceAllString(s, "[redacted]")
}

// redactAll goes by way of JSON, so that it reaches every text however deep.
func redactAll(items []ErrorItem, req *http.Request) []ErrorItem {
	if len(items) == 0 {
		return nil
	}
	raw, err := json.Marshal(items)
	if err != nil {
		return nil
	}
	var clean []ErrorItem
	if json.Unmarshal([]byte(redact(string(raw), req)), &clean) != nil {
		return nil
	}
	return clean
}
