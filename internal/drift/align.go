package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// align makes what two specs say at the same place comparable where oasdiff would pass over it, and gives lines for
// what it passes over still.
//
// oasdiff matches the alternatives of two unions only where they are equal, and says nothing of the inside of those
// it did not match: a field renamed in one alternative would pass unseen. So each alternative becomes a property of
// its own, and where only one spec has a union, what the other says is set against each alternative. Of what only
// upstream has, a property or the values of an enum, oasdiff says that it is there and not what it is; a line says it.
func align(ours, theirs *openapi3.T) ([]string, error) {
	lines, err := schemeLines(theirs, ours)
	if err != nil {
		return nil, err
	}
	for path, item := range ours.Paths.Map() {
		for method, op := range item.Operations() {
			other := theirs.Paths.Value(path).GetOperation(method)
			a := aligner{where: method + " " + path}
			for _, p := range places(op, other) {
				if err := a.align(p.at, p.ours, p.theirs); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", op.OperationID, p.at, err)
				}
			}
			lines = append(lines, a.lines...)
		}
	}
	return lines, nil
}

// schemeLines gives what a has of security schemes and b has not.
func schemeLines(a, b *openapi3.T) ([]string, error) {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(a.Components.SecuritySchemes)) {
		if b.Components.SecuritySchemes[name] != nil {
			continue
		}
		is, err := facts(a.Components.SecuritySchemes[name].Value)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line("upstream-only-security-scheme", "", fmt.Sprintf("`%s` is `%s`", name, is)))
	}
	return lines, nil
}

// place is where both specs have a schema.
type place struct {
	at           string
	ours, theirs *openapi3.SchemaRef
}

func places(a, b *openapi3.Operation) []place {
	var all []place
	content := func(at string, a, b openapi3.Content) {
		for name, media := range a {
			if other := b[name]; media != nil && other != nil {
				all = append(all, place{at, media.Schema, other.Schema})
			}
		}
	}
	for _, p := range a.Parameters {
		if other := b.Parameters.GetByInAndName(p.Value.In, p.Value.Name); other != nil {
			all = append(all, place{"parameter " + p.Value.Name, p.Value.Schema, other.Schema})
		}
	}
	if a.RequestBody != nil && b.RequestBody != nil {
		content("request", a.RequestBody.Value.Content, b.RequestBody.Value.Content)
	}
	for code, response := range a.Responses.Map() {
		if other := b.Responses.Value(code); other != nil {
			content("response "+code, response.Value.Content, other.Value.Content)
		}
	}
	return all
}

type aligner struct {
	where string // the operation
	lines []string
}

func (a *aligner) align(at string, ours, theirs *openapi3.SchemaRef) error {
	if ours == nil || theirs == nil || ours.Value == nil || theirs.Value == nil {
		return nil
	}
	if ours.Ref != "" || theirs.Ref != "" {
		return nil // inside of itself, where it was aligned already
	}
	if err := splitUnion(ours.Value, theirs.Value); err != nil {
		return err
	}
	if len(theirs.Value.Enum) > 0 && len(ours.Value.Enum) == 0 {
		a.lines = append(a.lines, line("upstream-only-enum", a.where, fmt.Sprintf("`%s` is one of `%v`", at, theirs.Value.Enum)))
	}
	for name, p := range theirs.Value.Properties {
		inside := strings.TrimSpace(at + " " + name)
		if ours.Value.Properties[name] == nil {
			is, err := facts(p.Value)
			if err != nil {
				return err
			}
			a.lines = append(a.lines, line("upstream-only-property", a.where, fmt.Sprintf("`%s` is `%s`", inside, is)))
			continue
		}
		if err := a.align(inside, ours.Value.Properties[name], p); err != nil {
			return err
		}
	}
	if err := a.align(at+" *", ours.Value.AdditionalProperties.Schema, theirs.Value.AdditionalProperties.Schema); err != nil {
		return err
	}
	return a.align(at+" []", ours.Value.Items, theirs.Value.Items)
}
