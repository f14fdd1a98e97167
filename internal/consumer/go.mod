module github.com/m2mauth/clerk-m2m/internal/consumer

go 1.26.0

require github.com/m2mauth/clerk-m2m v0.0.0

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/hashicorp/golang-lru/v2 v2.0.7 // indirect
	github.com/oapi-codegen/runtime v1.8.0 // indirect
	golang.org/x/oauth2 v0.38.0 // indirect
)

replace github.com/m2mauth/clerk-m2m => ../..
