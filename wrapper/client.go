package wrapper

import (
	"fmt"
	"net/http"

	"github.com/m2mauth/clerk-m2m/generated"
)

// Client talks to Clerk's machine-auth API. It is made by [New], is safe for concurrent use, and holds no connection
// or goroutine of its own that would have to be closed.
type Client struct {
	M2MTokens   *M2MTokens   // tokens with which machines call one another
	Machines    *Machines    // the machines of the instance
	APIKeys     *APIKeys     // long-lived keys of users, organizations and machines
	OAuthTokens *OAuthTokens // access tokens that the instance issued
	Keys        *Keys        // the public keys that JWTs are signed with

	// Behind a pointer, so that printing a Client prints no credential.
	core *core
}

type core struct {
	api  *generated.Client
	keys *keys
}

// New makes a client. What the options do not give is read from the environment: CLERK_MACHINE_SECRET_KEY,
// CLERK_SECRET_KEY and CLERK_API_URL; [WithoutEnv] turns that off. No network is used, and a client without any
// credential is fine as long as each call brings one.
//
// The error says which option or variable is wrong; a key that cannot be one is a [*CredentialError].
func New(opts ...Option) (*Client, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	k := &keys{machine: o.machineKey, instance: o.secretKey}
	api, err := generated.NewClient(o.base.String(), generated.WithHTTPClient(&doer{
		client:  privateClient(o.client),
		base:    o.base,
		router:  newRouter(o.base.EscapedPath(), generated.Operations()),
		keys:    k,
		headers: http.Header{"Accept": {"application/json"}, "Clerk-Api-Version": {o.apiVersion}, "User-Agent": {o.userAgent}},
		retries: o.retries,
		timeout: o.timeout,
		log:     o.log,
		hook:    o.hook,
	}))
	if err != nil {
		return nil, fmt.Errorf("clerk: making the generated client: %w", err)
	}
	api.RequestEditors = o.editors
	c := &core{api: api, keys: k}
	return &Client{
		M2MTokens:   &M2MTokens{c},
		Machines:    &Machines{c},
		APIKeys:     &APIKeys{c},
		OAuthTokens: &OAuthTokens{c},
		Keys:        &Keys{c},
		core:        c,
	}, nil
}

// API gives the generated client, set up the same: credentials, retries, limits and headers apply to what is sent
// through it. Its replies are raw: the status is the caller's to check, and the body has been read already and needs
// no close.
func (c *Client) API() *generated.Client { return c.core.api }

// HasMachineSecretKey tells whether the client is configured with a machine's secret key.
func (c *Client) HasMachineSecretKey() bool { return c.core.keys.machine != "" }

// HasSecretKey tells whether the client is configured with the instance's secret key.
func (c *Client) HasSecretKey() bool { return c.core.keys.instance != "" }

// privateClient copies the caller's client, because it must not follow redirects: one would take the credential along.
func privateClient(c *http.Client) *http.Client {
	private := *c
	private.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &private
}
