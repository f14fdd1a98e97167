package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// componentName is the extension that keeps the name of a component where the component itself was put.
const componentName = "x-component-name"

// cut gives the part of a spec that describes ops, as JSON. Each reference is replaced by what it refers to, because
// the names of components are never on the wire; only security schemes, and components that hold themselves, remain.
// It fails with a vanishedError for each operation that the spec does not have.
func cut(doc *openapi3.T, ops []operation) ([]byte, error) {
	if err := vanished(doc, ops); err != nil {
		return nil, err
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var spec map[string]any
	if err := json.Unmarshal(data, &spec); err != nil {
		return nil, err
	}
	components := object(spec["components"])
	delete(spec, "components")
	delete(spec, "tags")
	spec["paths"] = inline(cutPaths(object(spec["paths"]), ops), components, nil)
	spec["components"] = reached(spec, components)
	return json.Marshal(spec)
}

// cutPaths keeps the operations that ops name, and what a path says of all its operations.
func cutPaths(paths map[string]any, ops []operation) map[string]any {
	kept := map[string]any{}
	for _, op := range ops {
		if kept[op.path] == nil {
			kept[op.path] = map[string]any{}
		}
		item := object(kept[op.path])
		for name, v := range object(paths[op.path]) {
			if !slices.Contains(methods, name) || name == strings.ToLower(op.method) {
				item[name] = v
			}
		}
	}
	return kept
}

// methods are the members of a path item that hold an operation (OpenAPI 3.0.3, section 4.7.9).
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// inline gives v with each reference replaced by the component that it names, save one to a component that v is
// already inside of: within lists those.
func inline(v any, components map[string]any, within []string) any {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			return inlineRef(v, ref, components, within)
		}
		out := make(map[string]any, len(v))
		for key, member := range v {
			out[key] = inline(member, components, within)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = inline(element, components, within)
		}
		return out
	}
	return v
}

func inlineRef(v map[string]any, ref string, components map[string]any, within []string) any {
	kind, name, ok := componentOf(ref)
	component := object(object(components[kind])[name])
	if !ok || component == nil || slices.Contains(within, ref) {
		return v
	}
	out := object(inline(component, components, append(slices.Clone(within), ref)))
	if out[componentName] == nil {
		out[componentName] = name
	}
	return out
}

// reached keeps the components that spec refers to, straight or through others. A security scheme is referred to by
// its bare name, in a member called security.
func reached(spec, components map[string]any) map[string]any {
	kept := map[string]any{}
	queue := references(spec)
	for len(queue) > 0 {
		kind, name, _ := componentOf(queue[0])
		queue = queue[1:]
		component, ok := object(components[kind])[name]
		if !ok || object(kept[kind])[name] != nil {
			continue
		}
		if kept[kind] == nil {
			kept[kind] = map[string]any{}
		}
		object(kept[kind])[name] = component
		queue = append(queue, references(component)...)
	}
	return kept
}

func references(v any) []string {
	var refs []string
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if key == "security" {
				refs = append(refs, schemes(member)...)
			}
			refs = append(refs, references(member)...)
		}
	case []any:
		for _, element := range v {
			refs = append(refs, references(element)...)
		}
	case string:
		if _, _, ok := componentOf(v); ok {
			refs = append(refs, v)
		}
	}
	return refs
}

// schemes gives what a list of security requirements refers to.
func schemes(v any) []string {
	var refs []string
	alternatives, _ := v.([]any)
	for _, alternative := range alternatives {
		for scheme := range object(alternative) {
			refs = append(refs, "#/components/securitySchemes/"+scheme)
		}
	}
	return refs
}

// componentOf splits a reference to a component, as in "#/components/schemas/Machine".
func componentOf(ref string) (kind, name string, ok bool) {
	rest, ok := strings.CutPrefix(ref, "#/components/")
	if !ok {
		return "", "", false
	}
	kind, name, ok = strings.Cut(rest, "/")
	return kind, strings.NewReplacer("~1", "/", "~0", "~").Replace(name), ok
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
