// Package authn answers the question that a server behind Clerk has about a request: who is calling,
// and may I believe it? It verifies M2M tokens, API keys, OAuth access tokens and session tokens.
//
//	client, err := wrapper.New() // reads CLERK_MACHINE_SECRET_KEY and CLERK_SECRET_KEY
//	...
//	a, err := authn.New(client)
//	...
//	http.Handle("/reports", a.Require(authn.M2MToken)(reports))
//
// and in the handler
//
//	machine, ok := authn.M2MFromContext(r.Context())
//
// # Three answers
//
// A request is signed in; or it is signed out, and [State.Reason] says why; or nothing can be known now,
// because Clerk cannot be asked: then it is signed out too, and errors.Is(state.Err, [ErrCannotDecide]).
// The middleware answers 401 (or 403) to the second and 503 to the third.
//
// # How tokens are verified
//
// A token's type is told by its prefix (mt_, oat_, ak_), else it is a JWT: of a machine if its sub begins
// with mch_, of an OAuth client if its typ is at+jwt, else of a session. A token is only ever judged as
// the type that it has.
//
// JWTs (RFC 7519, RFC 8725) are verified with a PEM key ([WithJWTKey]), else with the instance's key
// set, fetched with the instance secret key, else with the public one that [WithPublishableKey] names.
// With none of these, or [WithNetworkVerification], Clerk verifies M2M JWTs. A key set is fetched when it is
// first needed and again after 5 minutes, or for an unknown key id, but for that at most every 30 seconds;
// when it cannot be fetched, the old one serves for up to an hour. JWTs longer than 16 KiB are refused.
//
// Opaque tokens are verified by Clerk, with the machine secret key where it can do it, else with the
// instance's. See [TokenCache] for what is remembered.
package authn
