package m2mtest

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Option configures a [Server].
type Option func(*config) error

type config struct {
	seed      *uint64
	clock     func() time.Time
	rateLimit int
	ratePer   time.Duration
	jwtOnly   bool
	deadAs200 bool
	signer    crypto.Signer
	instance  string
	hook      func(Call)
}

// WithSeed makes ids, secrets, RSA signing keys and faults repeat from run to run, as long as the calls come in the same
// order. Servers with different seeds sign with different keys. Default: everything is random.
func WithSeed(seed uint64) Option {
	return func(c *config) error {
		c.seed = &seed
		return nil
	}
}

// WithClock sets what the server takes for the time; [Server.Advance] adds to it. It must be safe for concurrent use.
// Default: [time.Now].
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return errors.New("m2mtest: WithClock was given nil")
		}
		c.clock = now
		return nil
	}
}

// WithRateLimit answers 429 with Retry-After to all calls of a credential beyond n in each period per, counted from
// its first. The key set is not limited, as at Clerk, whose limits are 1000 in 10 s in production and 100 in
// development. Default: no limit.
func WithRateLimit(n int, per time.Duration) Option {
	return func(c *config) error {
		if n < 1 || per <= 0 {
			return errors.New("m2mtest: WithRateLimit needs a number and a period above zero")
		}
		c.rateLimit, c.ratePer = n, per
		return nil
	}
}

// WithJWTOnly refuses to mint opaque M2M tokens with 400, to find code that would be billed for each verification.
// Default: both formats are minted.
func WithJWTOnly() Option {
	return func(c *config) error {
		c.jwtOnly = true
		return nil
	}
}

// WithDeadTokensAs200 answers 200 with revoked or expired set when a dead token or API key is verified, instead of 404:
// a client that takes any 200 for a success then lets it in. Default: 404.
func WithDeadTokensAs200() Option {
	return func(c *config) error {
		c.deadAs200 = true
		return nil
	}
}

// WithSigningKey sets the private key that JWTs are signed with: RSA for RS256, which is what Clerk uses; ECDSA on P-256,
// P-384 or P-521 for ES256, ES384 or ES512; Ed25519 for EdDSA. Default: an RSA key of 2048 bits that is made when it is
// first needed and shared by the servers of the process that have the same seed, or none.
func WithSigningKey(key crypto.Signer) Option {
	return func(c *config) error {
		if key == nil {
			return errors.New("m2mtest: WithSigningKey was given nil")
		}
		if _, err := algorithmOf(key.Public()); err != nil {
			return err
		}
		c.signer = key
		return nil
	}
}

// WithSecretKey sets the secret key of the instance (sk_...). Default: one that is made up.
func WithSecretKey(key string) Option {
	return func(c *config) error {
		if !strings.HasPrefix(key, "sk_") {
			return fmt.Errorf("m2mtest: WithSecretKey was given a key that does not begin with sk_")
		}
		c.instance = key
		return nil
	}
}

// WithCallHook sets a function that is told of each call before it is answered, for a log. It runs on the goroutine of
// the call and must not block. Default: none.
func WithCallHook(hook func(Call)) Option {
	return func(c *config) error {
		if hook == nil {
			return errors.New("m2mtest: WithCallHook was given nil")
		}
		c.hook = hook
		return nil
	}
}
