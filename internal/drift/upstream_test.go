package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

const ourSpec = "../../openapi/machine-auth.yaml"

// document is a spec as JSON, to be doctored.
type document map[string]any

// upstreamLike makes of our spec what a full spec of Clerk's is like: one security scheme, numbers without a format,
// replies with a field that we do not have, a union where we have none, another one in its place, and operations and
// components that are no concern of ours.
func upstreamLike(t *testing.T) document {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(ourSpec)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	for _, path := range d.paths() {
		for _, method := range methods {
			delete(object(d.at("paths", path, method)), "security")
		}
	}
	d["security"] = []any{document{"bearerAuth": []any{}}}
	d.at("components")["securitySchemes"] = document{"bearerAuth": document{"type": "http", "scheme": "bearer"}}
	each(d, func(schema map[string]any) {
		if schema["format"] == "int64" {
			schema["type"] = "number"
			delete(schema, "format")
		}
	})
	d.schema("MachineSummary", "properties")["labels"] = document{
		"description": "Upstream's own words.", "type": "array", "items": document{"type": "string", "enum": []any{"red", "blue"}},
	}

	jwk := d.schema("JWK")
	for _, kind := range []struct{ name, kty string }{{"RSAKey", "RSA"}, {"ECKey", "EC"}} {
		key := document(copied(t, jwk))
		key.at("properties", "kty")["enum"] = []any{kind.kty}
		d.schema()[kind.name] = map[string]any(key)
	}
	clear(jwk)
	jwk["oneOf"] = []any{
		map[string]any{"$ref": "#/components/schemas/RSAKey"}, map[string]any{"$ref": "#/components/schemas/ECKey"},
	}
	arms := d.schema("OAuthAccessTokenVerification")["anyOf"].([]any)
	arms[0] = copied(t, d.schema("OAuthAccessToken"))
	arms[1] = copied(t, d.schema("InactiveOAuthAccessToken"))
	delete(d.schema(), "OAuthAccessToken")
	delete(d.schema(), "InactiveOAuthAccessToken")

	d.schema()["User"] = map[string]any{"type": "object", "properties": map[string]any{
		"friend": map[string]any{"$ref": "#/components/schemas/User"},
	}}
	d.at("paths")["/users"] = map[string]any{"get": map[string]any{
		"operationId": "GetUsers", "responses": map[string]any{"200": map[string]any{
			"description": "Users",
			"content":     map[string]any{"application/json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/User"}}},
		}},
	}}
	d.at("paths", "/machines")["put"] = copied(t, d.at("paths", "/users", "get"))
	d.at("paths", "/machines", "put")["operationId"] = "PutMachines"
	return copied(t, d)
}

// at gives a member at some depth.
func (d document) at(names ...string) map[string]any {
	m := map[string]any(d)
	for _, name := range names {
		m = object(m[name])
	}
	return m
}

// schema gives a component's schema, or a member within it.
func (d document) schema(names ...string) map[string]any {
	return d.at(append([]string{"components", "schemas"}, names...)...)
}

func (d document) paths() []string { return slices.Sorted(maps.Keys(d.at("paths"))) }

// write gives the file that the spec was written to.
func (d document) write(t *testing.T) string {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bapi.yml")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// each calls f with each object in v, outermost first.
func each(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case document:
		each(map[string]any(v), f)
	case map[string]any:
		f(v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			each(v[name], f)
		}
	case []any:
		for _, element := range v {
			each(element, f)
		}
	}
}

func copied[M ~map[string]any](t *testing.T, m M) map[string]any {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
