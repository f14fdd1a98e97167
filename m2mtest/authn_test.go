package m2mtest_test

import (
	"context"
	"testing"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// What is minted is what the authentication layer takes, of each kind, and is not when it is made bad.
func TestMintedTokens(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	user := p.UserID()
	auth, err := authn.New(p.Client(), authn.WithClock(p.Now))
	if err != nil {
		t.Fatal(err)
	}
	revoked := m2mtest.Revoked("leaked")
	for _, test := range []struct {
		name, token string
		kind        authn.TokenType
		ok          bool
	}{
		{"M2M token", string(p.MintM2M(p.orders.ID, m2mtest.Scopes(p.Machine().ID)).Token), authn.M2MToken, true},
		{"M2M token, revoked", string(p.MintM2M(p.orders.ID, m2mtest.Scopes(p.Machine().ID), revoked).Token), authn.M2MToken, false},
		{"M2M JWT", p.MintJWT(p.orders.ID), authn.M2MToken, true},
		{"M2M JWT of another category", p.MintJWT(p.orders.ID, m2mtest.Header("cat", "cl_B7d4PD222AAA")), authn.M2MToken, false},
		{"session token", p.MintSession(user), authn.SessionToken, true},
		{"session token of a foreign key", p.MintSession(user, m2mtest.ForeignKey()), authn.SessionToken, false},
		{"API key", string(p.MintAPIKey(user).Secret), authn.APIKey, true},
		{"API key, revoked", string(p.MintAPIKey(user, revoked).Secret), authn.APIKey, false},
		{"OAuth token", string(p.MintOAuth(user).Token), authn.OAuthToken, true},
		{"OAuth token, revoked", string(p.MintOAuth(user, revoked).Token), authn.OAuthToken, false},
		{"OAuth JWT", p.MintOAuthJWT(user), authn.OAuthToken, true},
		{"OAuth JWT without exp", p.MintOAuthJWT(user, m2mtest.NeverExpires()), authn.OAuthToken, false},
	} {
		state, err := auth.AuthenticateToken(context.Background(), test.token, authn.AnyToken()...)
		if err != nil {
			t.Fatal(err)
		}
		if ok := state.Status == authn.SignedIn; ok != test.ok || ok && state.TokenType != test.kind {
			t.Errorf("%s: %s, %s, %s: %s", test.name, state.Status, state.TokenType, state.Reason, state.Message)
		}
	}
}

// With only a publishable key, JWTs are verified by the key set that the server shows to everyone.
func TestPublishableKey(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	auth, err := authn.New(p.MachineClient(p.billing.ID), authn.WithClock(p.Now), authn.WithPublishableKey(p.PublishableKey()), authn.WithIssuer(p.Issuer()))
	if err != nil {
		t.Fatal(err)
	}
	state, err := auth.AuthenticateToken(t.Context(), p.MintJWT(p.orders.ID), authn.M2MToken)
	if err != nil || state.Status != authn.SignedIn {
		t.Errorf("%+v, %v", state, err)
	}
	if p.CallsTo("verifyM2MToken") != 0 || p.CallsTo("GetJWKS") != 1 {
		t.Errorf("the calls are %v", p.Calls())
	}
}
