package main

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// secretModels gives the names of the models that hold a credential, also in a model within them, in order.
func secretModels(doc *openapi3.T, name func(id string) string) []string {
	if doc.Components == nil {
		return nil
	}
	var models []string
	for schema, ref := range doc.Components.Schemas {
		// What has an x-go-type is another model under its name, or none.
		if ref.Ref == "" && ref.Value.Extensions["x-go-type"] == nil && holdsSecret(ref) {
			models = append(models, name(schema))
		}
	}
	slices.Sort(models)
	return models
}

func holdsSecret(ref *openapi3.SchemaRef) bool {
	if ref == nil || ref.Value == nil {
		return false
	}
	if isSecret(ref) || ref.Value.Extensions["x-go-type"] == "secret.String" || holdsSecret(ref.Value.Items) {
		return true
	}
	for _, p := range ref.Value.Properties {
		if holdsSecret(p) {
			return true
		}
	}
	return slices.ContainsFunc(ref.Value.AllOf, holdsSecret)
}
