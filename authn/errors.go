package authn

import (
	"errors"
	"fmt"
)

// The causes found in [State.Err]; test for them with errors.Is.
var (
	// ErrCannotDecide says that nothing is known about the token, because what would have settled it
	// could not be asked: Clerk is out of reach, overloaded, or refuses this service's own secret key.
	// The caller may be who it says; answer 503, not 401.
	ErrCannotDecide = errors.New("authn: cannot decide")

	// ErrNoToken says that the request carries no token where one was looked for.
	ErrNoToken = errors.New("authn: no token")
	// ErrTokenType says that the token is of a type that is not accepted here.
	ErrTokenType = errors.New("authn: token of a type that is not accepted")
	// ErrMalformed says that the token cannot be one: it has the wrong shape, encoding or JSON (RFC 7519 section 7.2).
	ErrMalformed = errors.New("authn: malformed token")
	// ErrHeaderType says that the JWT's typ is not the one of its token type (RFC 8725 section 3.11).
	ErrHeaderType = errors.New("authn: wrong typ in the JWT header")
	// ErrCritical says that the JWT has a crit header, and so extensions that must be understood; none are (RFC 7515 section 4.1.11).
	ErrCritical = errors.New("authn: crit in the JWT header is not supported")
	// ErrCategory says that Clerk made the JWT for another purpose: its cat is not that of its token type.
	ErrCategory = errors.New("authn: JWT of the wrong category")
	// ErrAlgorithm says that the JWT's alg is not supported, or not that of the key (RFC 8725 section 3.1).
	ErrAlgorithm = errors.New("authn: wrong signature algorithm")
	// ErrUnknownKey says that no current key has the JWT's kid.
	ErrUnknownKey = errors.New("authn: unknown key id")
	// ErrSignature says that the JWT's signature is not one of the key's.
	ErrSignature = errors.New("authn: invalid signature")
	// ErrClaim says that a claim is missing, or of the wrong JSON type.
	ErrClaim = errors.New("authn: missing or invalid claim")
	// ErrExpired says that the token's time is over.
	ErrExpired = errors.New("authn: token expired")
	// ErrNotYetValid says that the JWT's nbf is in the future.
	ErrNotYetValid = errors.New("authn: token not yet valid")
	// ErrIssuedInFuture says that the JWT's iat is in the future: the clocks disagree.
	ErrIssuedInFuture = errors.New("authn: token issued in the future")
	// ErrIssuer says that iss is not the one of [WithIssuer].
	ErrIssuer = errors.New("authn: wrong issuer")
	// ErrAudience says that aud has none of the values of [WithAudience].
	ErrAudience = errors.New("authn: wrong audience")
	// ErrAuthorizedParty says that azp is none of those of [WithAuthorizedParties].
	ErrAuthorizedParty = errors.New("authn: wrong authorized party")
	// ErrTokenRefused says that Clerk answered that the token is unknown, or that it cannot be one.
	ErrTokenRefused = errors.New("authn: token refused by Clerk")
	// ErrTokenDead says that Clerk knows the token and calls it revoked or inactive.
	ErrTokenDead = errors.New("authn: token revoked or inactive")
	// ErrForbidden says that the token is good and its bearer may not call this service: [WithAllowedMachines],
	// [WithMachineID] or Clerk itself (403) deny it.
	ErrForbidden = errors.New("authn: caller not allowed")
	// ErrClosed is the cause, within ErrCannotDecide, of what would have needed a closed Authenticator to call Clerk.
	ErrClosed = errors.New("authn: authenticator closed")

	// ErrMissingCredentials is returned, not found in a State: nothing was configured that could verify
	// a token of an accepted type. It is matched by [*MissingCredentialsError].
	ErrMissingCredentials = errors.New("authn: missing credentials")
)

// MissingCredentialsError says for which accepted token type the configuration lacks a credential.
type MissingCredentialsError struct {
	TokenType TokenType
}

// Error names what to set, and the environment variables from which the wrapper would take it.
func (e *MissingCredentialsError) Error() string {
	need := "an instance secret key: wrapper.WithSecretKey or CLERK_SECRET_KEY"
	switch e.TokenType {
	case M2MToken:
		need = "a machine secret key (wrapper.WithMachineSecretKey or CLERK_MACHINE_SECRET_KEY) or " + need
	case SessionToken:
		need = "a PEM key (authn.WithJWTKey), a publishable key (authn.WithPublishableKey) or " + need
	}
	return fmt.Sprintf("authn: missing credentials: accepting %s needs %s", e.TokenType, need)
}

// Is reports whether target is [ErrMissingCredentials].
func (e *MissingCredentialsError) Is(target error) bool { return target == ErrMissingCredentials }

// cannotDecide marks err as no fault of the token's.
func cannotDecide(err error) error { return fmt.Errorf("%w: %w", ErrCannotDecide, err) }
