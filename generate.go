package clerkm2m

// Each generator runs in the folder that it writes to, so that the same command gives the same bytes anywhere.
//go:generate go run -C generated github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -config ../openapi/client.yaml ../openapi/machine-auth.yaml
//go:generate go run -C internal/server github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -config ../../openapi/server.yaml ../../openapi/machine-auth.yaml
//go:generate go run ./internal/opgen -package generated -o generated/operations.gen.go openapi/machine-auth.yaml
