// Package openapi holds the specification that the client, the models and the operation table are generated from.
package openapi

import _ "embed"

//go:embed machine-auth.yaml
var machineAuth string

// MachineAuth gives machine-auth.yaml, the OpenAPI 3.0.3 description of Clerk's machine authentication.
func MachineAuth() []byte { return []byte(machineAuth) }
