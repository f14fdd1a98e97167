package wrapper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// Option configures a [Client].
type Option func(*options) error

type options struct {
	machineKey, secretKey string
	base                  *url.URL
	apiVersion            string
	client                *http.Client
	editors               []RequestEditor
	retries               int
	timeout               time.Duration
	userAgent             string
	log                   *slog.Logger
	hook                  func(context.Context, Attempt)
	withoutEnv            bool
}

// newOptions applies the options, then fills what they leave open from the environment and the defaults.
func newOptions(opts []Option) (*options, error) {
	o := &options{
		apiVersion: generated.APIVersion,
		client:     http.DefaultClient, // copied, never changed
		retries:    DefaultMaxRetries,
		timeout:    DefaultAttemptTimeout,
		userAgent:  "clerk-m2m-go",
		log:        slog.New(slog.DiscardHandler),
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("clerk: an option is nil")
		}
		if err := opt(o); err != nil {
			return nil, err
		}
	}
	if err := o.fromEnv(); err != nil {
		return nil, err
	}
	if o.base == nil {
		return o, WithBaseURL(generated.ServerURL)(o)
	}
	return o, nil
}

func (o *options) fromEnv() error {
	if o.withoutEnv {
		return nil
	}
	for _, v := range []struct {
		name   string
		given  bool
		option func(string) Option
	}{
		{"CLERK_MACHINE_SECRET_KEY", o.machineKey != "", WithMachineSecretKey},
		{"CLERK_SECRET_KEY", o.secretKey != "", WithSecretKey},
		{"CLERK_API_URL", o.base != nil, WithBaseURL},
	} {
		value := os.Getenv(v.name)
		if v.given || value == "" {
			continue
		}
		if err := v.option(value)(o); err != nil {
			return fmt.Errorf("%s in the environment: %w", v.name, err)
		}
	}
	return nil
}

// WithMachineSecretKey sets the secret key of the machine that the program is (ak_...).
// Default: CLERK_MACHINE_SECRET_KEY.
func WithMachineSecretKey(key string) Option {
	return func(o *options) error {
		o.machineKey = key
		return checkKey(MachineSecretKeyKind, key)
	}
}

// WithSecretKey sets the secret key of the Clerk instance (sk_...). Default: CLERK_SECRET_KEY.
func WithSecretKey(key string) Option {
	return func(o *options) error {
		o.secretKey = key
		return checkKey(SecretKeyKind, key)
	}
}

// WithBaseURL sets where the API is served. One without a path, as Clerk's own CLERK_API_URL is, gets /v1. Plain http
// is refused unless the host is this machine. Default: CLERK_API_URL, else https://api.clerk.com/v1.
func WithBaseURL(base string) Option {
	return func(o *options) error {
		u, err := url.Parse(base)
		if err != nil {
			// The text of the error would repeat the URL, and a password in it.
			return errors.New("clerk: the base URL cannot be parsed; it looks like https://api.clerk.com/v1")
		}
		switch {
		case u.Host == "" || u.Opaque != "":
			return errors.New("clerk: the base URL has no host; it looks like https://api.clerk.com/v1")
		case u.User != nil:
			return errors.New("clerk: the base URL has a user in it; credentials are given by WithSecretKey or WithMachineSecretKey")
		case u.RawQuery != "" || u.Fragment != "":
			return errors.New("clerk: the base URL has a query or a fragment; it looks like https://api.clerk.com/v1")
		case !secure(u):
			return fmt.Errorf("clerk: the base URL %s://%s would send secret keys in the clear; use https (http is for this machine only)", u.Scheme, u.Host)
		}
		path := strings.TrimRight(u.JoinPath().EscapedPath(), "/") // joined, it has no dots in it
		if path == "" {
			path = "/v1"
		}
		o.base, err = url.Parse(u.Scheme + "://" + u.Host + path)
		return err
	}
}

// WithAPIVersion sets the Clerk-API-Version header. Default: the version of the spec that the client is generated from.
func WithAPIVersion(version string) Option {
	return func(o *options) error {
		if version == "" {
			return errors.New("clerk: the API version is empty; it looks like " + generated.APIVersion)
		}
		o.apiVersion = version
		return nil
	}
}

// WithHTTPClient sets the client that requests are sent with: its Transport, Jar and Timeout. It is copied; the copy
// follows no redirect. Default: [http.DefaultClient].
func WithHTTPClient(client *http.Client) Option {
	return func(o *options) error {
		if client == nil {
			return errors.New("clerk: WithHTTPClient was given nil")
		}
		o.client = client
		return nil
	}
}

// WithRequestEditor adds an editor to every request, before those of the call. Given more than once, all apply.
func WithRequestEditor(edit RequestEditor) Option {
	return func(o *options) error {
		if edit == nil {
			return errors.New("clerk: WithRequestEditor was given nil")
		}
		o.editors = append(o.editors, edit)
		return nil
	}
}

// WithMaxRetries sets how many times a call is tried again after an attempt that may be repeated; 0 turns retries
// off. Waits double from 200 ms to 5 s with full jitter, honour Retry-After up to [MaxRetryAfter], and never go past
// the deadline of the call's context. Default: [DefaultMaxRetries].
func WithMaxRetries(n int) Option {
	return func(o *options) error {
		if n < 0 {
			return errors.New("clerk: WithMaxRetries was given a negative number; 0 turns retries off")
		}
		o.retries = n
		return nil
	}
}

// WithAttemptTimeout sets how long one attempt may take, from sending to the end of the reply. A call takes at most
// that times one more than its retries, and the waits between. Default: [DefaultAttemptTimeout].
func WithAttemptTimeout(d time.Duration) Option {
	return func(o *options) error {
		if d <= 0 {
			return errors.New("clerk: WithAttemptTimeout needs a time above zero; a context bounds the whole call")
		}
		o.timeout = d
		return nil
	}
}

// WithUserAgent sets the User-Agent header. Default: "clerk-m2m-go".
func WithUserAgent(name string) Option {
	return func(o *options) error {
		o.userAgent = name
		return nil
	}
}

// WithLogger sets where calls are logged: each attempt at debug, one that failed for want of Clerk at warn. No
// credential is ever logged. Default: nowhere.
func WithLogger(log *slog.Logger) Option {
	return func(o *options) error {
		if log == nil {
			return errors.New("clerk: WithLogger was given nil")
		}
		o.log = log
		return nil
	}
}

// WithAttemptHook sets a function that is told of each attempt when it is over, for metrics and traces. It runs on the
// caller's goroutine and must not block. Default: none.
func WithAttemptHook(hook func(ctx context.Context, a Attempt)) Option {
	return func(o *options) error {
		if hook == nil {
			return errors.New("clerk: WithAttemptHook was given nil")
		}
		o.hook = hook
		return nil
	}
}

// WithoutEnv leaves the environment alone: only options count.
func WithoutEnv() Option {
	return func(o *options) error {
		o.withoutEnv = true
		return nil
	}
}
