package authn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/internal/strictjson"
)

// claimRules is what a JWT's claims must be besides well formed.
type claimRules struct {
	skew              time.Duration
	issuer            string
	audience          []string
	authorizedParties []string
	allowMissingAZP   bool
}

// check judges the claims of a JWT whose signature is good, in the order of Clerk's SDK, and gives who
// they speak of.
func (c *claims) check(kind TokenType, rules *claimRules, now time.Time) (Auth, error) {
	if c.notObject {
		return nil, fmt.Errorf("%w: the payload is no JSON object", ErrClaim)
	}
	sub, err := requiredText("sub", c.sub)
	if err != nil {
		return nil, err
	}
	if kind == M2MToken && sub == prefixMachine {
		return nil, fmt.Errorf("%w: sub names no machine", ErrClaim)
	}
	aud, err := optionalList("aud", c.aud)
	if err != nil {
		return nil, err
	}
	if len(rules.audience) > 0 && !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(rules.audience, a) }) {
		return nil, ErrAudience
	}
	if kind == SessionToken {
		if err := c.checkAuthorizedParty(rules); err != nil {
			return nil, err
		}
	}
	if rules.issuer != "" || c.iss != "" {
		iss, err := requiredText("iss", c.iss)
		if rules.issuer != "" && iss != rules.issuer {
			return nil, ErrIssuer
		}
		if err != nil {
			return nil, err
		}
	}
	expires, err := c.checkTimes(rules.skew, now)
	if err != nil {
		return nil, err
	}
	switch kind {
	case M2MToken:
		return c.m2m(sub, aud, expires)
	case OAuthToken:
		return c.oauth(sub, expires)
	default:
		return c.session(sub, expires)
	}
}

func (c *claims) checkAuthorizedParty(rules *claimRules) error {
	if len(rules.authorizedParties) == 0 {
		return nil
	}
	azp, err := optionalText("azp", c.azp)
	if err != nil {
		return err
	}
	if azp == "" && rules.allowMissingAZP || azp != "" && slices.Contains(rules.authorizedParties, azp) {
		return nil
	}
	return ErrAuthorizedParty
}

// checkTimes judges exp, nbf and iat (RFC 7519 sections 4.1.4 to 4.1.6), which may have fractions.
func (c *claims) checkTimes(skew time.Duration, now time.Time) (expires time.Time, err error) {
	exp, ok := strictjson.Number(c.exp)
	if !ok {
		return time.Time{}, fmt.Errorf("%w: exp must be a number", ErrClaim)
	}
	nowMS, skewMS := float64(now.UnixMilli()), float64(skew.Milliseconds())
	if exp*1000 <= nowMS-skewMS {
		return time.Time{}, ErrExpired
	}
	for _, c := range [...]struct {
		name, value string
		early       error
	}{{"nbf", c.nbf, ErrNotYetValid}, {"iat", c.iat, ErrIssuedInFuture}} {
		if c.value == "" {
			continue
		}
		at, ok := strictjson.Number(c.value)
		if !ok {
			return time.Time{}, fmt.Errorf("%w: %s must be a number", ErrClaim, c.name)
		}
		if at*1000 > nowMS+skewMS {
			return time.Time{}, c.early
		}
	}
	const endOfTime = 253402300799 // the year 9999, the last that RFC 3339 can write
	return time.UnixMilli(int64(math.Min(exp, endOfTime) * 1000)), nil
}

func (c *claims) m2m(sub string, aud []string, expires time.Time) (Auth, error) {
	id, err := optionalText("jti", c.jti)
	if err != nil {
		return nil, err
	}
	scopes, found, err := scopeList("scopes", c.scopes)
	if err != nil {
		return nil, err
	}
	if !found {
		scopes = aud
	}
	return &M2MAuth{ID: id, Subject: sub, Scopes: orEmpty(scopes), Claims: c.custom(), MachineID: sub, ExpiresAt: expires}, nil
}

func (c *claims) oauth(sub string, expires time.Time) (Auth, error) {
	id, err := optionalText("jti", c.jti)
	if err != nil {
		return nil, err
	}
	client, err := optionalText("client_id", c.clientID)
	if err != nil {
		return nil, err
	}
	scopes, found, err := scopeList("scp", c.scp)
	if err == nil && !found {
		scopes, _, err = scopeList("scope", c.scope)
	}
	if err != nil {
		return nil, err
	}
	return &OAuthAuth{ID: id, Subject: sub, UserID: sub, ClientID: client, Scopes: orEmpty(scopes), ExpiresAt: expires}, nil
}

// session requires sid: without it the JWT is not of a session, whatever its category does not say.
func (c *claims) session(sub string, expires time.Time) (Auth, error) {
	sid, err := requiredText("sid", c.sid)
	if err != nil {
		return nil, err
	}
	return &SessionAuth{UserID: sub, SessionID: sid, Claims: c.custom(), ExpiresAt: expires}, nil
}

func requiredText(name, value string) (string, error) {
	if s, ok := strictjson.String(value); ok && s != "" {
		return s, nil
	}
	return "", fmt.Errorf("%w: %s must be a string", ErrClaim, name)
}

// optionalText takes null for an absent claim, as Clerk's SDK does.
func optionalText(name, value string) (string, error) {
	if value == "" || strictjson.IsNull(value) {
		return "", nil
	}
	s, ok := strictjson.String(value)
	if !ok {
		return "", fmt.Errorf("%w: %s must be a string", ErrClaim, name)
	}
	return s, nil
}

func optionalList(name, value string) ([]string, error) {
	if value == "" || strictjson.IsNull(value) {
		return nil, nil
	}
	list, ok := strictjson.Strings(value)
	if !ok {
		return nil, fmt.Errorf("%w: %s must be a string or an array of strings", ErrClaim, name)
	}
	return list, nil
}

// scopeList reads scopes as an array, or as words between spaces (RFC 6749 section 3.3).
func scopeList(name, value string) (scopes []string, found bool, err error) {
	if value == "" || strictjson.IsNull(value) {
		return nil, false, nil
	}
	if s, ok := strictjson.String(value); ok {
		return strings.Fields(s), true, nil
	}
	scopes, err = optionalList(name, value)
	return scopes, true, err
}
