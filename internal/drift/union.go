package main

import (
	"encoding/json"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// alternatives gives those of a union; none where the schema is not one.
func alternatives(s *openapi3.Schema) openapi3.SchemaRefs {
	if len(s.AnyOf) > 0 {
		return s.AnyOf
	}
	return s.OneOf
}

// splitUnion turns the alternatives of ours, of theirs, or of both into properties of the same names.
func splitUnion(ours, theirs *openapi3.Schema) error {
	n := max(len(alternatives(ours)), len(alternatives(theirs)))
	if n == 0 {
		return nil
	}
	names := alternativeNames(theirs, ours, n)
	a, err := asProperties(ours, names)
	if err != nil {
		return err
	}
	b, err := asProperties(theirs, names)
	if err != nil {
		return err
	}
	*ours, *theirs = *a, *b
	return nil
}

// alternativeNames names n alternatives as the components that they are, or else by their places: as theirs, or as
// ours where theirs is no union.
func alternativeNames(theirs, ours *openapi3.Schema, n int) []string {
	union := theirs
	if len(alternatives(theirs)) == 0 {
		union = ours
	}
	kind := "anyOf"
	if len(union.AnyOf) == 0 {
		kind = "oneOf"
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s %d", kind, i+1)
		if all := alternatives(union); i < len(all) {
			if component, ok := all[i].Value.Extensions[componentName].(string); ok {
				names[i] = kind + " " + component
			}
		}
	}
	return names
}

// asProperties gives an object with a property for each alternative of s beside what else s has. Where s is no union,
// each of the properties is the whole of s.
func asProperties(s *openapi3.Schema, names []string) (*openapi3.Schema, error) {
	out := &openapi3.Schema{Properties: openapi3.Schemas{}}
	all := alternatives(s)
	if len(all) == 0 {
		for _, name := range names {
			c, err := clone(s)
			if err != nil {
				return nil, err
			}
			out.Properties[name] = openapi3.NewSchemaRef("", c)
		}
	} else {
		*out = *s
		out.AnyOf, out.OneOf, out.Discriminator = nil, nil, nil
		out.Properties = openapi3.Schemas{}
		for name, p := range s.Properties {
			out.Properties[name] = p
		}
		for i, alternative := range all {
			out.Properties[names[i]] = alternative
		}
	}
	out.Type = &openapi3.Types{openapi3.TypeObject}
	return out, nil
}

// clone copies a schema, so that what is done to one copy is not done to the others.
func clone(s *openapi3.Schema) (*openapi3.Schema, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var out openapi3.Schema
	return &out, json.Unmarshal(data, &out)
}
