package spec

import (
	"errors"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Problem is one way in which a request or a reply breaks the spec. It never holds the value that does, which may be
// a credential.
type Problem struct {
	In      string // "path", "query", "header", "body" or "status"
	Name    string // the parameter or header; "" for a body
	Pointer string // where in the value (RFC 6901); "" for the whole
	Reason  string
}

// String says where and what.
func (p Problem) String() string {
	where := p.In
	if p.Name != "" {
		where += " " + p.Name
	}
	if p.Pointer != "" {
		where += " " + p.Pointer
	}
	return where + ": " + p.Reason
}

// problems flattens what the validator says. Its own texts are not used where they may quote a value.
func problems(err error) []Problem {
	switch e := err.(type) {
	case nil:
		return nil
	case openapi3.MultiError:
		var all []Problem
		for _, err := range e {
			all = append(all, problems(err)...)
		}
		return all
	case *openapi3filter.RequestError:
		found := schemaProblems(e.Err)
		if errors.Is(e.Err, openapi3filter.ErrInvalidRequired) || errors.Is(e.Err, openapi3filter.ErrInvalidEmptyValue) {
			found = []Problem{{Reason: e.Err.Error()}}
		}
		for i := range found {
			found[i].In = "body"
			if e.Parameter != nil {
				found[i].In, found[i].Name = e.Parameter.In, e.Parameter.Name
			}
		}
		return found
	case *openapi3filter.ResponseError:
		found := schemaProblems(e.Err)
		for i := range found {
			found[i].In = "body"
		}
		return found
	case *openapi3filter.SecurityRequirementsError:
		reasons := make([]string, len(e.Errors))
		for i, err := range e.Errors {
			reasons[i] = err.Error()
		}
		return []Problem{{In: "header", Name: "Authorization", Reason: strings.Join(reasons, "; ")}}
	}
	return []Problem{{In: "body", Reason: "is not what the spec says"}}
}

func schemaProblems(err error) []Problem {
	switch e := err.(type) {
	case openapi3.MultiError:
		var all []Problem
		for _, err := range e {
			all = append(all, schemaProblems(err)...)
		}
		return all
	case *openapi3.SchemaError:
		if nested := nestedProblems(e.Origin); nested != nil {
			return nested
		}
		p := Problem{Reason: e.Reason}
		for _, token := range e.JSONPointer() {
			p.Pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
		}
		if p.Reason == "" {
			p.Reason = "does not match the schema's " + e.SchemaField
		}
		return []Problem{p}
	case *openapi3filter.ParseError:
		if e.Reason != "" {
			return []Problem{{Reason: e.Reason}}
		}
		return []Problem{{Reason: "cannot be parsed"}}
	}
	return []Problem{{Reason: "is not what the spec says"}}
}

// nestedProblems gives what was wrong within an allOf, a oneOf or an anyOf.
func nestedProblems(err error) []Problem {
	for ; err != nil; err = errors.Unwrap(err) {
		switch err.(type) {
		case openapi3.MultiError, *openapi3.SchemaError:
			return schemaProblems(err)
		}
	}
	return nil
}
