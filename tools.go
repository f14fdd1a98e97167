//go:build tools

package clerkm2m

// Pins the generator that generate.go runs.
import _ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
