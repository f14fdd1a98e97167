// Package clerkm2m is the root of the module clerk-m2m, with which one service proves to another which machine it
// is, by Clerk's machine authentication. It holds nothing to import; these do:
//
//   - [github.com/m2mauth/clerk-m2m/wrapper] talks to Clerk: it mints, verifies and revokes tokens, manages machines
//     and API keys, and gives outgoing requests a token (TokenSource, Transport).
//   - [github.com/m2mauth/clerk-m2m/authn] answers who is calling: it authenticates incoming requests by M2M token,
//     API key, OAuth access token or session token, opaque or JWT, and has net/http middleware.
//   - [github.com/m2mauth/clerk-m2m/m2mtest] is Clerk's machine-auth API in memory, for tests.
//   - [github.com/m2mauth/clerk-m2m/generated] is the client that oapi-codegen makes of openapi/machine-auth.yaml.
//
// The command clerk-m2m (cmd/clerk-m2m) shows and does the same by hand.
package clerkm2m
