package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// Authenticator tells who is calling. It is safe for use by many goroutines.
type Authenticator struct {
	settings
	client *wrapper.Client
	can    typeSet // the types that the credentials can verify
	keys   *keySet // nil when no key can be had

	calls   *calls
	flights flights[digest, Auth]
	memory  *memory
	digester

	warnScopes sync.Once
}

// New makes an Authenticator. The client, which may be nil, brings the credentials: a machine secret
// key verifies M2M tokens, and has Clerk enforce this machine's scopes; an instance secret key verifies
// every type. See [WithJWTKey] and [WithPublishableKey] for keys that verify JWTs. New opens no
// connection; its error is about an option.
func New(client *wrapper.Client, opts ...Option) (*Authenticator, error) {
	s := settings{
		httpClient:   http.DefaultClient,
		now:          time.Now,
		log:          slog.Default(),
		claims:       claimRules{skew: 5 * time.Second},
		cache:        TokenCache{Size: defaultCacheSize},
		errorHandler: writeStatus,
	}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&s); err != nil {
			return nil, err
		}
	}
	a := &Authenticator{settings: s, client: client, calls: newCalls()}
	a.flights.calls = a.calls
	machine, instance := client != nil && client.HasMachineSecretKey(), client != nil && client.HasSecretKey()
	a.keys = a.newKeySet(instance)
	if a.keys != nil {
		a.can |= SessionToken.bit()
	}
	if machine || instance {
		a.can |= M2MToken.bit()
	}
	if instance {
		a.can |= APIKey.bit() | OAuthToken.bit()
	}
	if machine || !instance {
		a.warnScopes.Do(func() {}) // nothing to warn of
	}
	var err error
	if a.memory, err = newMemory(s.cache, a.keys, s.now); err != nil {
		return nil, fmt.Errorf("authn: WithTokenCache: %w", err)
	}
	return a, nil
}

func (a *Authenticator) newKeySet(instance bool) *keySet {
	s := &keySet{now: a.now, log: a.log, fixed: a.jwtKey}
	s.flights.calls = a.calls
	switch {
	case s.fixed != nil:
	case instance:
		s.fetch = fetchInstanceKeys(a.client)
	case a.frontend != "":
		s.fetch = fetchFrontendKeys(a.httpClient, a.frontend)
	default:
		return nil
	}
	return s
}

// Close ends the calls that are under way and waits for their goroutines. What needs no call is still
// verified afterwards; the rest cannot be decided.
func (a *Authenticator) Close() error {
	a.calls.close()
	return nil
}

// AuthenticateRequest tells who makes the request, by a token of one of the accepted types; none given
// means SessionToken. The token is taken from the Authorization header (RFC 6750), and session tokens
// from the __session cookie too. The error is a misconfiguration, such as [ErrMissingCredentials];
// whatever is wrong with the request is in the State.
func (a *Authenticator) AuthenticateRequest(r *http.Request, accept ...TokenType) (*State, error) {
	set, err := a.accepts(accept)
	if err != nil {
		return nil, err
	}
	return a.authenticateRequest(r, set), nil
}

// AuthenticateToken tells whose token it is, for tokens that come by other ways than HTTP. See
// [Authenticator.AuthenticateRequest].
func (a *Authenticator) AuthenticateToken(ctx context.Context, token string, accept ...TokenType) (*State, error) {
	set, err := a.accepts(accept)
	if err != nil {
		return nil, err
	}
	s := a.authenticate(ctx, token, set)
	a.logDenial(ctx, s)
	return s, nil
}

func (a *Authenticator) authenticateRequest(r *http.Request, set typeSet) *State {
	token, fromCookie := requestToken(r, set)
	judged := set
	if fromCookie {
		judged = SessionToken.bit() // nothing else is taken from a cookie
	}
	s := a.authenticate(r.Context(), token, judged)
	a.logDenial(r.Context(), s)
	return s
}

// accepts checks that the credentials can verify every type that is accepted.
func (a *Authenticator) accepts(accept []TokenType) (typeSet, error) {
	set, err := newTypeSet(accept)
	if err != nil {
		return 0, err
	}
	if missing := set &^ a.can; missing != 0 {
		i := slices.IndexFunc(accept, missing.has)
		if i < 0 {
			return 0, &MissingCredentialsError{TokenType: SessionToken} // accepted by default
		}
		return 0, &MissingCredentialsError{TokenType: accept[i]}
	}
	if set.has(M2MToken) {
		a.warnScopes.Do(func() {
			a.log.Warn("authn: M2M tokens are verified with the instance secret key, so Clerk does not check that they are for this machine; " +
				"set a machine secret key (wrapper.WithMachineSecretKey or CLERK_MACHINE_SECRET_KEY), or WithMachineID and WithAllowedMachines")
		})
	}
	return set, nil
}

func (a *Authenticator) authenticate(ctx context.Context, token string, accept typeSet) *State {
	if token == "" {
		return noToken(accept)
	}
	kind := opaqueType(token)
	if kind != "" {
		return a.authenticateOpaque(ctx, kind, token, accept)
	}
	if _, _, ok := splitJWT(token); !ok {
		return malformed(accept)
	}
	d := a.digest(token)
	if auth := a.memory.recall(ctx, d); auth != nil && accept.has(auth.tokenType()) {
		return signIn(auth)
	}
	t, ok := parseJWT(token)
	if !ok {
		return malformed(accept)
	}
	kind = t.tokenType()
	if !accept.has(kind) {
		return deny(accept.single(), ReasonTokenTypeMismatch, ErrTokenType)
	}
	auth, err := a.verifyJWT(ctx, kind, t, token, d)
	if err != nil {
		return deny(kind, reasonFor(kind, err), err)
	}
	return signIn(auth)
}

func (a *Authenticator) authenticateOpaque(ctx context.Context, kind TokenType, token string, accept typeSet) *State {
	if !accept.has(kind) {
		if accept.single() == SessionToken {
			return deny(SessionToken, ReasonTokenInvalid, ErrTokenType) // it can be no JWT
		}
		return deny(accept.single(), ReasonTokenTypeMismatch, ErrTokenType)
	}
	if !plausibleOpaque(token) {
		return deny(kind, ReasonTokenInvalid, ErrMalformed)
	}
	d := a.digest(token)
	auth := a.memory.recall(ctx, d)
	if auth == nil {
		var err error
		if auth, err = a.ask(ctx, kind, token, d, time.Time{}); err != nil {
			return deny(kind, reasonFor(kind, err), err)
		}
	}
	return signIn(auth)
}

// verifyJWT judges the header, then the signature or Clerk's word for it, then the claims.
func (a *Authenticator) verifyJWT(ctx context.Context, kind TokenType, t *jwt, token string, d digest) (Auth, error) {
	if err := t.checkHeader(kind); err != nil {
		return nil, err
	}
	if kind == M2MToken && (a.network || a.keys == nil) {
		// What is wrong for certain is not worth a call.
		claimed, err := t.claims.check(kind, &a.claims, a.now())
		if err != nil {
			return nil, err
		}
		return a.ask(ctx, kind, token, d, expiry(claimed))
	}
	key, err := a.keys.find(ctx, t.header.kid)
	if err != nil {
		return nil, err
	}
	if key.alg != t.header.alg {
		return nil, ErrAlgorithm
	}
	if !key.verify(t.signed, t.signature) {
		return nil, ErrSignature
	}
	auth, err := t.claims.check(kind, &a.claims, a.now())
	if err == nil {
		err = a.allowed(auth)
	}
	if err != nil {
		return nil, err
	}
	a.memory.remember(d, auth, key)
	return auth, nil
}

// allowed applies WithAllowedMachines and WithMachineID.
func (a *Authenticator) allowed(auth Auth) error {
	m, ok := auth.(*M2MAuth)
	if !ok {
		return nil
	}
	if len(a.machines) > 0 && !slices.Contains(a.machines, m.Subject) {
		return fmt.Errorf("%w: %.64q is none of WithAllowedMachines", ErrForbidden, m.Subject)
	}
	if a.machineID != "" && !slices.Contains(m.Scopes, a.machineID) {
		return fmt.Errorf("%w: the token's scopes do not hold %s", ErrForbidden, a.machineID)
	}
	return nil
}

func deny(kind TokenType, reason Reason, err error) *State {
	return &State{Status: SignedOut, TokenType: kind, Reason: reason, Message: err.Error(), Err: err}
}

func noToken(accept typeSet) *State {
	switch single := accept.single(); {
	case accept.has(SessionToken):
		return deny(SessionToken, ReasonSessionTokenMissing, ErrNoToken)
	case single != "":
		return deny(single, ReasonNoTokenInHeader, ErrNoToken)
	}
	return deny("", ReasonTokenTypeMismatch, ErrNoToken)
}

// malformed judges what is neither an opaque token nor a JWT: a session token if one is accepted.
func malformed(accept typeSet) *State {
	if accept.has(SessionToken) {
		return deny(SessionToken, ReasonTokenInvalid, ErrMalformed)
	}
	return deny(accept.single(), ReasonTokenTypeMismatch, ErrMalformed)
}

// reasonFor gives the word that Clerk's SDK has for what is wrong with a token of this type.
func reasonFor(kind TokenType, err error) Reason {
	switch {
	case errors.Is(err, ErrCannotDecide):
		switch {
		case errors.Is(err, wrapper.ErrUnauthorized):
			return ReasonSecretKeyInvalid
		case kind == SessionToken:
			return ReasonKeysFailedToLoad
		}
		return ReasonUnexpectedError
	case errors.Is(err, ErrForbidden):
		if _, ok := errors.AsType[*wrapper.APIError](err); ok {
			return ReasonUnexpectedError
		}
		return ReasonMachineNotAllowed
	case errors.Is(err, ErrTokenRefused):
		if errors.Is(err, wrapper.ErrNotFound) {
			return ReasonTokenInvalid
		}
		return ReasonUnexpectedError
	case errors.Is(err, ErrTokenDead):
		return ReasonTokenInvalid
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			if kind == SessionToken {
				return r.session
			}
			return r.machine
		}
	}
	return ReasonTokenVerificationFailed
}

var reasons = [...]struct {
	err              error
	session, machine Reason
}{
	{ErrAlgorithm, ReasonInvalidAlgorithm, ReasonTokenVerificationFailed},
	{ErrCategory, ReasonTokenTypeMismatch, ReasonTokenInvalid},
	{ErrHeaderType, ReasonTokenInvalid, ReasonTokenVerificationFailed},
	{ErrCritical, ReasonTokenInvalid, ReasonTokenVerificationFailed},
	{ErrUnknownKey, ReasonKeyIDMismatch, ReasonTokenVerificationFailed},
	{ErrSignature, ReasonInvalidSignature, ReasonTokenVerificationFailed},
	{ErrExpired, ReasonSessionTokenExpired, ReasonTokenVerificationFailed},
	{ErrNotYetValid, ReasonSessionTokenNotYetValid, ReasonTokenVerificationFailed},
	{ErrIssuedInFuture, ReasonSessionTokenIATInFuture, ReasonTokenVerificationFailed},
	{ErrIssuer, ReasonInvalidIssuer, ReasonTokenVerificationFailed},
	{ErrAuthorizedParty, ReasonInvalidAuthorizedParty, ReasonTokenVerificationFailed},
}

func (a *Authenticator) logDenial(ctx context.Context, s *State) {
	if s.Status == SignedIn {
		return
	}
	level := slog.LevelDebug
	if s.Err != ErrNoToken && errors.Is(s.Err, ErrCannotDecide) {
		level = slog.LevelWarn
	}
	if a.log.Enabled(ctx, level) {
		a.log.Log(ctx, level, "authn: request not authenticated", "token_type", string(s.TokenType), "reason", string(s.Reason), "message", s.Message)
	}
}
