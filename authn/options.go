package authn

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Option configures an Authenticator; see the With functions.
type Option func(*settings) error

type settings struct {
	jwtKey       *publicKey
	frontend     string // base URL of the Frontend API
	httpClient   *http.Client
	now          func() time.Time
	log          *slog.Logger
	claims       claimRules
	machines     []string
	machineID    string
	network      bool
	cache        TokenCache
	errorHandler ErrorHandler
}

// WithJWTKey verifies JWTs with this public key, for any key id: the one that the Clerk dashboard shows as
// the JWKS public key. It is PEM, or its bare base64; `\n` may stand for a line break. An RSA key verifies RS256, an EC
// key the algorithm of its curve, an Ed25519 key EdDSA. No key is fetched then, and none is replaced.
func WithJWTKey(pem string) Option {
	return func(s *settings) (err error) {
		if s.jwtKey, err = parsePEM(pem); err != nil {
			return fmt.Errorf("authn: WithJWTKey: %w", err)
		}
		return nil
	}
}

// WithPublishableKey names the Frontend API whose public key set verifies JWTs when there is neither
// a PEM key nor an instance secret key.
func WithPublishableKey(key string) Option {
	return func(s *settings) (err error) {
		if s.frontend, err = frontendURL(key); err != nil {
			return fmt.Errorf("authn: WithPublishableKey: %w", err)
		}
		return nil
	}
}

// WithHTTPClient sets whose Transport fetches the Frontend API's key set. The default is
// [http.DefaultClient]. Calls to Clerk's Backend API go through the wrapper's client.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error {
		if client == nil {
			return errors.New("authn: WithHTTPClient: the client is nil")
		}
		s.httpClient = client
		return nil
	}
}

// WithClockSkew sets by how much this machine's clock may differ from Clerk's when exp, nbf and iat are
// judged. The default is 5 seconds; 0 is exact.
func WithClockSkew(d time.Duration) Option {
	return func(s *settings) error {
		if d < 0 || d > time.Hour {
			return fmt.Errorf("authn: WithClockSkew: %v is not between 0 and 1 hour", d)
		}
		s.claims.skew = d
		return nil
	}
}

// WithClock sets the time by which tokens, keys and caches are judged. The default is [time.Now].
func WithClock(now func() time.Time) Option {
	return func(s *settings) error {
		if now == nil {
			return errors.New("authn: WithClock: the clock is nil")
		}
		s.now = now
		return nil
	}
}

// WithAuthorizedParties refuses session tokens whose azp, the origin they were made for, is none of
// these, or is missing. It is what keeps another site of the same instance from using its users'
// tokens here.
func WithAuthorizedParties(origins ...string) Option {
	return func(s *settings) (err error) {
		s.claims.authorizedParties, err = nonEmpty("WithAuthorizedParties", origins)
		return err
	}
}

// WithMissingAuthorizedParty lets session tokens without azp pass [WithAuthorizedParties]: those of
// cookies from before Clerk put azp in them, and of native apps.
func WithMissingAuthorizedParty() Option {
	return func(s *settings) error {
		s.claims.allowMissingAZP = true
		return nil
	}
}

// WithAudience refuses JWTs whose aud has none of these values, or is missing. Opaque tokens have no
// audience.
func WithAudience(audience ...string) Option {
	return func(s *settings) (err error) {
		s.claims.audience, err = nonEmpty("WithAudience", audience)
		return err
	}
}

// WithIssuer refuses JWTs whose iss is not exactly this: the URL of the instance's Frontend API.
func WithIssuer(issuer string) Option {
	return func(s *settings) error {
		if issuer == "" {
			return errors.New("authn: WithIssuer: the issuer is empty")
		}
		s.claims.issuer = issuer
		return nil
	}
}

// WithAllowedMachines lets only these machines (mch_...) call with M2M tokens. They are compared with
// the token's subject, which Clerk sets and nobody else can: for M2M JWTs this is the local control to
// rely on. Others are forbidden (403).
func WithAllowedMachines(ids ...string) Option {
	return func(s *settings) (err error) {
		s.machines, err = machineIDs("WithAllowedMachines", ids)
		return err
	}
}

// WithMachineID forbids (403) M2M tokens whose scopes do not hold this service's own machine (mch_...).
// For opaque tokens the scopes are Clerk's. In a JWT they come from its scopes or aud claims, and
// whether a machine could have put them there itself, Clerk's public documents do not say. The strict
// way is a machine secret key with [WithNetworkVerification]: then Clerk decides.
func WithMachineID(id string) Option {
	return func(s *settings) error {
		ids, err := machineIDs("WithMachineID", []string{id})
		if err == nil {
			s.machineID = ids[0]
		}
		return err
	}
}

// WithNetworkVerification has Clerk verify M2M JWTs too, rather than only their signature here: a call
// for each, which finds revocations and, with a machine secret key, enforces the machine's scopes.
func WithNetworkVerification() Option {
	return func(s *settings) error {
		s.network = true
		return nil
	}
}

// TokenCache says how long verified tokens are remembered, by their SHA-256. Failures never are, and no
// token beyond its expiry, nor a JWT beyond its key's place in the key set. Changing a setting of Clerk's,
// such as revoking a token, is not noticed for a remembered one until its age is reached.
type TokenCache struct {
	// Size is the number of tokens remembered. 0 is 10,000; below 0 none is.
	Size int
	// JWTMaxAge is for JWTs that were verified by their signature, which nobody can revoke: remembering
	// saves only the check. 0 is until they expire; below 0 they are not remembered.
	JWTMaxAge time.Duration
	// OpaqueMaxAge is for tokens that Clerk verified. Each one remembered saves a billed call, and a
	// token revoked or scope removed meanwhile is still accepted: this is the revocation window. 0 or
	// below, the default: not remembered.
	OpaqueMaxAge time.Duration
}

const defaultCacheSize = 10_000

// WithTokenCache sets which verified tokens are remembered. The default is TokenCache{}: JWTs are,
// opaque tokens are not.
func WithTokenCache(c TokenCache) Option {
	return func(s *settings) error {
		if c.Size == 0 {
			c.Size = defaultCacheSize
		}
		s.cache = c
		return nil
	}
}

// WithLogger sets where denials are logged (at debug), and where it is said (at warn) that keys or Clerk are
// out of reach. No token and no key is logged. The default is [slog.Default]; nil is nowhere.
func WithLogger(log *slog.Logger) Option {
	return func(s *settings) error {
		if log == nil {
			log = slog.New(slog.DiscardHandler)
		}
		s.log = log
		return nil
	}
}

// WithErrorHandler sets what [Authenticator.Require] answers a request that it rejects. The default is a
// line of text.
func WithErrorHandler(h ErrorHandler) Option {
	return func(s *settings) error {
		if h == nil {
			return errors.New("authn: WithErrorHandler: the handler is nil")
		}
		s.errorHandler = h
		return nil
	}
}

func nonEmpty(option string, list []string) ([]string, error) {
	if len(list) == 0 || slices.Contains(list, "") {
		return nil, fmt.Errorf("authn: %s: give at least one value, and no empty one", option)
	}
	return slices.Clone(list), nil
}

func machineIDs(option string, ids []string) ([]string, error) {
	list, err := nonEmpty(option, ids)
	for _, id := range list {
		if !strings.HasPrefix(id, prefixMachine) || id == prefixMachine {
			return nil, fmt.Errorf("authn: %s: %q is no machine's id (mch_...)", option, id)
		}
	}
	return list, err
}
