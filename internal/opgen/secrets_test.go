package main

import (
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// What holds a credential is found through members, lists and parts; what is another model by a Go name is not named.
func TestSecretModels(t *testing.T) {
	const spec = `
openapi: 3.0.3
info: {title: t, version: v}
paths: {}
components:
  schemas:
    Secret: {type: string, x-go-type: secret.String}
    Direct: {type: object, properties: {token: {$ref: "#/components/schemas/Secret"}}}
    Inline: {type: object, properties: {token: {type: string, x-go-type: secret.String}}}
    Page: {type: object, properties: {data: {type: array, items: {$ref: "#/components/schemas/Direct"}}}}
    Parts: {allOf: [{$ref: "#/components/schemas/Plain"}, {$ref: "#/components/schemas/Inline"}]}
    Alias: {x-go-type: Direct, allOf: [{$ref: "#/components/schemas/Direct"}]}
    Plain: {type: object, properties: {id: {type: string}}}
`
	doc, err := openapi3.NewLoader().LoadFromData([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	got := secretModels(doc, func(id string) string { return "go" + id })
	if want := []string{"goDirect", "goInline", "goPage", "goParts"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if got := secretModels(&openapi3.T{}, nil); got != nil {
		t.Errorf("found %q in a spec without components", got)
	}
}
