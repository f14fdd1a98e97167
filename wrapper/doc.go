// Package wrapper is a client of Clerk's machine-auth API. It wraps the client that is generated from
// openapi/machine-auth.yaml and adds what that one lacks: the right credential for each operation, results that are
// proven, errors that can be acted on, bounded retries, paging, and a source of tokens for outgoing requests.
//
//	client, err := wrapper.New() // reads CLERK_MACHINE_SECRET_KEY, CLERK_SECRET_KEY and CLERK_API_URL
//	...
//	token, err := client.M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{})
//
// # Credentials
//
// The spec says which credentials an operation takes: the secret key of a machine, the secret key of the instance, or
// either. An editor given to a call ([MachineSecretKey], [SecretKey]) wins; else an Authorization header that another
// editor set is kept; else the machine's key is sent where the operation takes it; else the instance's. A credential
// of a kind that the operation does not take is never sent: that is a [*CredentialError], before any network.
//
// # Outgoing requests
//
// A [TokenSource] keeps one live token for all requests of a program, and [TokenSource.Transport] puts it on them:
//
//	tokens := client.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
//	defer tokens.Close()
//	billing := &http.Client{Transport: tokens.Transport(nil)}
//
// # Errors
//
// Whatever goes wrong with a call is an [*APIError], which errors.Is tells apart as [ErrUnauthorized],
// [ErrForbidden], [ErrNotFound], [ErrConflict], [ErrRateLimited], [ErrUnavailable], [ErrInvalidReply] or
// [ErrInactiveToken]. What is refused before it is sent is a [*CredentialError] or an [*IDError]. A TokenSource that has
// no live token and cannot mint one gives a [*TokenError] around it.
//
// # Retries
//
// A 429 is retried for every operation. A 5xx, a timeout and a connection fault are retried only where the spec marks
// the operation as safe to repeat (x-retry-safe), which minting a token is not. See [WithMaxRetries].
package wrapper
