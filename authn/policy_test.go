package authn_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// claimTest is a well-signed JWT, and what options make of it.
type claimTest struct {
	opts   []authn.Option
	header string
	claims string
	accept authn.TokenType
	reason authn.Reason
	err    error // nil: signed in
}

func (test claimTest) run(t *testing.T) {
	t.Parallel()
	auth := newPEM(t, &keyA().PublicKey, test.opts...)
	s := authenticate(t, auth, sign(t, keyA(), "RS256", test.header, test.claims), test.accept)
	if test.err == nil {
		wantSignedIn(t, s)
		return
	}
	wantDenied(t, s, test.reason, test.err)
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	now := time.Now()
	opts := func(o ...authn.Option) []authn.Option { return o }
	session := func(o []authn.Option, claims string, reason authn.Reason, err error) claimTest {
		return claimTest{o, sessionHeader, sessionClaims(now, claims), authn.SessionToken, reason, err}
	}
	m2m := func(o []authn.Option, claims string, reason authn.Reason, err error) claimTest {
		return claimTest{o, m2mHeader, m2mClaims(now, claims), authn.M2MToken, reason, err}
	}
	oauth := func(o []authn.Option, claims string, reason authn.Reason, err error) claimTest {
		return claimTest{o, oauthHeader, oauthClaims(now, claims), authn.OAuthToken, reason, err}
	}
	parties := opts(authn.WithAuthorizedParties("https://a.example", "https://b.example"))
	lenient := opts(authn.WithMissingAuthorizedParty(), parties[0])
	audience := opts(authn.WithAudience("x", "y"))
	const failed = authn.ReasonTokenVerificationFailed
	for name, test := range map[string]claimTest{
		"azp":                         session(parties, `,"azp":"https://b.example"`, "", nil),
		"azp of another":              session(parties, `,"azp":"https://c.example"`, authn.ReasonInvalidAuthorizedParty, authn.ErrAuthorizedParty),
		"azp missing":                 session(parties, ``, authn.ReasonInvalidAuthorizedParty, authn.ErrAuthorizedParty),
		"azp missing, allowed":        session(lenient, ``, "", nil),
		"azp of another, not allowed": session(lenient, `,"azp":"https://c.example"`, authn.ReasonInvalidAuthorizedParty, authn.ErrAuthorizedParty),
		"azp an array":                session(lenient, `,"azp":["https://a.example"]`, failed, authn.ErrClaim),
		"azp in another case":         session(parties, `,"AZP":"https://b.example"`, authn.ReasonInvalidAuthorizedParty, authn.ErrAuthorizedParty),
		"azp is not for machines":     m2m(parties, ``, "", nil),
		"azp of a machine":            m2m(parties, `,"azp":7`, "", nil),

		"aud":            session(audience, `,"aud":"y"`, "", nil),
		"aud in a list":  m2m(audience, `,"aud":["z","x"]`, "", nil),
		"aud of another": m2m(audience, `,"aud":["z"]`, failed, authn.ErrAudience),
		"aud missing":    oauth(audience, ``, failed, authn.ErrAudience),
		"aud empty":      oauth(audience, `,"aud":[]`, failed, authn.ErrAudience),
		"aud null":       session(audience, `,"aud":null`, failed, authn.ErrAudience),

		"iss":            m2m(opts(authn.WithIssuer(issuer)), ``, "", nil),
		"iss of another": session(opts(authn.WithIssuer(issuer+"/")), ``, authn.ReasonInvalidIssuer, authn.ErrIssuer),
		"iss of another instance, a machine": m2m(opts(authn.WithIssuer("https://clerk.evil.example")), ``, failed,
			authn.ErrIssuer),

		"machine allowed":     m2m(opts(authn.WithAllowedMachines(machineB, machineA)), ``, "", nil),
		"machine not allowed": m2m(opts(authn.WithAllowedMachines(machineB)), ``, authn.ReasonMachineNotAllowed, authn.ErrForbidden),
		"our machine":         m2m(opts(authn.WithMachineID(machineB)), ``, "", nil),
		"not our machine":     m2m(opts(authn.WithMachineID(machineA)), ``, authn.ReasonMachineNotAllowed, authn.ErrForbidden),
		"machines, of a user": session(opts(authn.WithAllowedMachines(machineB), authn.WithMachineID(machineA)), ``, "", nil),
		"forged, not our machine": {
			opts(authn.WithAllowedMachines(machineB)), m2mHeader, m2mClaims(now.Add(-2*time.Hour), ""), authn.M2MToken,
			failed, authn.ErrExpired,
		},

		"session without sid": {nil, sessionHeader, fmt.Sprintf(`{"sub":"user_1","exp":%d}`, now.Unix()+60), authn.SessionToken, failed, authn.ErrClaim},
		"template":            {nil, strings.Replace(sessionHeader, "111AAA", "222AAA", 1), sessionClaims(now, ""), authn.SessionToken, authn.ReasonTokenTypeMismatch, authn.ErrCategory},
		"M2M category":        {nil, m2mHeader, sessionClaims(now, ""), authn.SessionToken, authn.ReasonTokenTypeMismatch, authn.ErrCategory},
		"ignore category":     {nil, strings.Replace(sessionHeader, "cl_B7d4PD111AAA", "cl_I7d4PD111III", 1), sessionClaims(now, ""), authn.SessionToken, "", nil},
		"not yet":             {nil, sessionHeader, strings.Replace(sessionClaims(now, ""), `"nbf":`, `"nbf":9999999999,"x":`, 1), authn.SessionToken, authn.ReasonSessionTokenNotYetValid, authn.ErrNotYetValid},
		"from the future":     {nil, sessionHeader, strings.Replace(sessionClaims(now, ""), `"iat":`, `"iat":9999999999,"x":`, 1), authn.SessionToken, authn.ReasonSessionTokenIATInFuture, authn.ErrIssuedInFuture},
		"no skew":             {opts(authn.WithClockSkew(0)), m2mHeader, m2mClaims(now.Add(-time.Hour-time.Second), ""), authn.M2MToken, failed, authn.ErrExpired},
		"more skew":           {opts(authn.WithClockSkew(time.Minute)), m2mHeader, m2mClaims(now.Add(-time.Hour-30*time.Second), ""), authn.M2MToken, "", nil},
		"scp an object":       oauth(nil, `,"scp":{}`, failed, authn.ErrClaim),
		"scope a number":      oauth(nil, `,"scope":1`, failed, authn.ErrClaim),
		"client_id a number":  {nil, oauthHeader, fmt.Sprintf(`{"sub":"user_1","client_id":1,"exp":%d}`, now.Unix()+60), authn.OAuthToken, failed, authn.ErrClaim},
	} {
		t.Run(name, test.run)
	}
}

func TestOAuthScopes(t *testing.T) {
	t.Parallel()
	auth := newPEM(t, &keyA().PublicKey)
	for claims, want := range map[string][]string{
		``: {}, `,"scope":""`: {}, `,"scope":"a  b"`: {"a", "b"}, `,"scp":["a b","c"],"scope":"d"`: {"a b", "c"}, `,"scp":[]`: {}, `,"scp":null,"scope":"d"`: {"d"},
	} {
		s := authenticate(t, auth, sign(t, keyA(), "RS256", oauthHeader, oauthClaims(time.Now(), claims)), authn.OAuthToken)
		wantSignedIn(t, s)
		if got := s.Auth.(*authn.OAuthAuth).Scopes; got == nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", claims, got, want)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	private := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n"
	for name, opt := range map[string]authn.Option{
		"empty key":         authn.WithJWTKey(""),
		"no key":            authn.WithJWTKey("hello"),
		"private key":       authn.WithJWTKey(private),
		"secret key":        authn.WithPublishableKey("sk_live_secretvalue"),
		"damaged":           authn.WithPublishableKey("pk_live_secretvalue"),
		"negative skew":     authn.WithClockSkew(-1),
		"nil clock":         authn.WithClock(nil),
		"no parties":        authn.WithAuthorizedParties(),
		"empty party":       authn.WithAuthorizedParties("https://a.example", ""),
		"no audience":       authn.WithAudience(),
		"empty issuer":      authn.WithIssuer(""),
		"no machines":       authn.WithAllowedMachines(),
		"a user":            authn.WithAllowedMachines("user_1"),
		"no machine":        authn.WithMachineID("mch_"),
		"nil HTTP client":   authn.WithHTTPClient(nil),
		"nil error handler": authn.WithErrorHandler(nil),
	} {
		a, err := authn.New(nil, opt)
		if err == nil || a != nil || !strings.HasPrefix(err.Error(), "authn: With") || strings.Contains(err.Error(), "secretvalue") || strings.Contains(err.Error(), "MC4C") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissingCredentials(t *testing.T) {
	t.Parallel()
	for accept, hint := range map[authn.TokenType]string{
		authn.SessionToken: "WithJWTKey", authn.APIKey: "CLERK_SECRET_KEY", authn.M2MToken: "CLERK_MACHINE_SECRET_KEY", authn.OAuthToken: "WithSecretKey",
	} {
		auth := newAuthenticator(t, nil)
		s, err := auth.AuthenticateToken(t.Context(), "x", accept)
		missing, ok := errors.AsType[*authn.MissingCredentialsError](err)
		if s != nil || !ok || missing.TokenType != accept || !strings.Contains(err.Error(), hint) || !errors.Is(err, authn.ErrMissingCredentials) {
			t.Errorf("%s: %v, %v", accept, s, err)
		}
	}
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithMachineSecretKey("ak_x"))
	if err != nil {
		t.Fatal(err)
	}
	auth := newAuthenticator(t, client)
	if _, err := auth.AuthenticateToken(t.Context(), "x", authn.M2MToken, authn.OAuthToken); !strings.Contains(fmt.Sprint(err), "oauth_token") {
		t.Errorf("got %v", err)
	}
	if _, err := auth.AuthenticateToken(t.Context(), "x", "m2m"); err == nil || errors.Is(err, authn.ErrMissingCredentials) {
		t.Errorf("got %v", err)
	}
}

func TestPEMForms(t *testing.T) {
	t.Parallel()
	text := publicPEM(t, &keyA().PublicKey)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	bare := strings.Join(lines[1:len(lines)-1], "")
	token := m2mJWT(t, "any", keyA(), time.Now())
	for name, form := range map[string]string{
		"PEM": text, "escaped": strings.ReplaceAll(text, "\n", `\n`), "CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "escaped CRLF": strings.ReplaceAll(text, "\n", `\r\n`),
		"bare": bare, "bare lines": strings.Join(lines[1:len(lines)-1], "\n"), "spaces around": "\n\t " + text + "\n ",
		"one line": lines[0] + bare + lines[len(lines)-1], "spaces for breaks": strings.ReplaceAll(text, "\n", " "),
	} {
		auth := newAuthenticator(t, newClient(t, "http://127.0.0.1:1"), authn.WithJWTKey(form))
		s := authenticate(t, auth, token, authn.M2MToken)
		if s.Status != authn.SignedIn {
			t.Errorf("%s: %v", name, s.Err)
		}
	}
}
