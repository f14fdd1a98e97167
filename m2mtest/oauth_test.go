package m2mtest_test

import (
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/m2mtest"
)

func (b *backend) verifyOAuth(field, token string) answer {
	b.t.Helper()
	return b.call(b.SecretKey(), "POST", "/oauth_applications/access_tokens/verify", map[string]any{field: token})
}

func TestVerifyOAuth(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	user := b.UserID()
	opaque := b.MintOAuth(user, m2mtest.Scopes("read", "write"), m2mtest.ClientID("client_1"))
	for _, field := range []string{"access_token", "secret"} {
		b.verifyOAuth(field, string(opaque.Token)).is(200, "").has(opaque.ID, "id").has(user, "subject").has("client_1", "client_id").
			has([]string{"read", "write"}, "scopes").has(now.Add(24*time.Hour).UnixMilli(), "expiration")
	}
	b.verifyOAuth("access_token", b.MintOAuthJWT(user, m2mtest.Scopes("read"), m2mtest.ClientID("client_1"))).is(200, "").
		has(user, "subject").has("client_1", "client_id").has([]string{"read"}, "scopes").has(now.UnixMilli(), "created_at")
	b.verifyOAuth("other", "x").is(400, "bad_request").has("/access_token", "errors", 0, "meta", "pointer")
}

func TestRefusedOAuth(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	user := b.UserID()
	for name, token := range map[string]string{
		"unknown":                          "oat_unknown",
		"no token":                         "hello",
		"revoked":                          string(b.MintOAuth(user, m2mtest.Revoked("x")).Token),
		"expired":                          string(b.MintOAuth(user, m2mtest.ExpiresIn(-time.Second)).Token),
		"a JWT of a foreign key":           b.MintOAuthJWT(user, m2mtest.ForeignKey()),
		"a JWT of another type":            b.MintOAuthJWT(user, m2mtest.Header("typ", "JWT")),
		"a JWT without exp":                b.MintOAuthJWT(user, m2mtest.NeverExpires()),
		"a JWT of what is no user":         b.MintOAuthJWT("mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"),
		"a JWT without a client":           b.MintOAuthJWT(user, m2mtest.WithoutClaim("client_id")),
		"an M2M JWT":                       b.MintJWT(b.Machine().ID),
		"a JWT whose jti is no token's id": b.MintOAuthJWT(user, m2mtest.Claim("jti", 7)),
	} {
		if a := b.verifyOAuth("access_token", token); a.status != 404 {
			t.Errorf("%s: %d: %s", name, a.status, a.raw)
		}
	}
	for name, token := range map[string]string{
		"expired": b.MintOAuthJWT(user, m2mtest.ExpiresIn(-time.Second)),
		"revoked": b.MintOAuthJWT(user, m2mtest.Revoked("x")),
	} {
		if a := b.verifyOAuth("access_token", token); a.status != 200 || string(a.raw) != `{"active":false}` {
			t.Errorf("%s: %d: %s", name, a.status, a.raw)
		}
	}
}

func TestDeadOAuthAs200(t *testing.T) {
	t.Parallel()
	b := newBackend(t, m2mtest.WithDeadTokensAs200())
	b.verifyOAuth("access_token", string(b.MintOAuth(b.UserID(), m2mtest.Revoked("x")).Token)).is(200, "").has(true, "revoked")
	b.verifyOAuth("access_token", string(b.MintOAuth(b.UserID(), m2mtest.ExpiresIn(-time.Second)).Token)).is(200, "").has(true, "expired")
}
