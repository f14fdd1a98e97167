package main

import (
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
	"go.yaml.in/yaml/v3"
)

// methodNames gives the function with which oapi-codegen, configured by config, makes a method's name of an
// operationId. The initialisms that it spells in capitals are state of its package, which only a run sets: this one
// generates nothing.
func methodNames(config []byte) (func(id string) string, error) {
	var client struct {
		OutputOptions struct {
			NameNormalizer        string   `yaml:"name-normalizer"`
			AdditionalInitialisms []string `yaml:"additional-initialisms"`
		} `yaml:"output-options"`
	}
	if err := yaml.Unmarshal(config, &client); err != nil {
		return nil, err
	}
	options := client.OutputOptions
	nothing := &openapi3.T{OpenAPI: "3.0.3", Info: &openapi3.Info{}, Paths: openapi3.NewPaths()}
	if _, err := codegen.Generate(nothing, codegen.Configuration{PackageName: "nothing", OutputOptions: codegen.OutputOptions{
		NameNormalizer:        options.NameNormalizer,
		AdditionalInitialisms: options.AdditionalInitialisms,
	}}); err != nil {
		return nil, fmt.Errorf("naming methods: %w", err)
	}
	return codegen.NameNormalizers[codegen.NameNormalizerFunction(options.NameNormalizer)], nil
}
