// Package generated is what `go generate` makes of openapi/machine-auth.yaml: the client, the models, and the table
// of operations. Package wrapper is the way to use it; its Client.API gives a [Client] that is set up with
// credentials, retries and limits. Nobody edits the generated files.
package generated
