package main

import (
	"slices"

	"github.com/m2mauth/clerk-m2m/authn"
)

// disagreement is one that is known, with why it stays.
type disagreement struct {
	accept       []authn.TokenType
	name         string
	peer         string
	modes        []string
	theirs, ours decision
	why          string
}

// find gives the place in known of what is known of an opinion, or -1.
func find(known []disagreement, o opinion) int {
	for i, d := range known {
		if d.name == o.name && d.peer == o.peer && slices.Contains(d.modes, o.mode) && slices.Contains(d.accept, o.accept) {
			return i
		}
	}
	return -1
}

var (
	byKey  = []string{pemMode, jwksMode}
	byFlag = []string{lenientMode}

	everyKind = []authn.TokenType{authn.M2MToken, authn.OAuthToken, authn.SessionToken}
	m2m       = everyKind[:1]
	oauth     = everyKind[1:2]
	session   = everyKind[2:]

	lookedUp = []authn.TokenType{authn.M2MToken, authn.APIKey, authn.OAuthToken}
)

// disagreements are all that there are. A run fails on one that is not here, and on one here that is no more.
//
// clerk-sdk-go has jwt.Verify, for session tokens, and nothing else for a JWT: so it is asked about all kinds.
var disagreements = []disagreement{
	{
		everyKind, "without exp", clerkSDKGo, byKey, accepts, refuses,
		"it takes a JWT that never expires",
	},
	{
		everyKind, "without sub", clerkSDKGo, byKey, accepts, refuses,
		"it takes a JWT that names nobody",
	},
	{
		everyKind, "without iss", clerkSDKGo, byKey, refuses, accepts,
		"the key proves the issuer; authn.WithIssuer asks for the claim too",
	},
	{
		everyKind, "iss of another service", clerkSDKGo, byKey, refuses, accepts,
		"it wants an iss that begins with https://clerk., which anyone may have; authn.WithIssuer compares all of it",
	},
	{
		everyKind, "typ in lower case", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at typ (RFC 8725, section 3.11)",
	},
	{
		everyKind, "base64 with padding", clerkSDKGo, byKey, accepts, refuses,
		"RFC 7515, section 2 has none; one token has one text here, so that one is remembered or revoked as one",
	},
	{
		session, "base64 with padding", clerkBackend, byKey, accepts, refuses,
		"as for clerk-sdk-go; of M2M and OAuth tokens it does see the padding",
	},
	{
		everyKind, "base64 with loose trailing bits", clerkSDKGo, byKey, accepts, refuses,
		"one token has one text here (RFC 4648, section 3.5)",
	},

	{
		everyKind, "a critical extension", clerkBackend, byKey, accepts, refuses,
		"what is critical and not understood is refused (RFC 7515, section 4.1.11)",
	},
	{
		everyKind, "alg twice", clerkBackend, byKey, accepts, refuses,
		"it takes the last of two; readers who take the first see another token (RFC 7519, section 4)",
	},
	{
		everyKind, "sub twice", clerkBackend, byKey, accepts, refuses,
		"as for alg: who is calling must not depend on the reader",
	},
	{
		m2m, "header null", clerkBackend, byKey, crashes, refuses,
		"it throws, and the service answers 500 to whoever sends this",
	},
	{
		oauth, "payload null", clerkBackend, byKey, crashes, refuses,
		"it throws, and the service answers 500 to whoever sends this",
	},

	{
		m2m, "a session token", clerkSDKGo, byKey, accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		m2m, "an OAuth token", clerkSDKGo, byKey, accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		m2m, "cat of a session", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at cat, by which Clerk tells what a JWT was made for",
	},
	{
		m2m, "cat of a JWT template", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at cat: what a template says is the application's choice, also sub",
	},
	{
		m2m, "cat unknown", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at cat",
	},
	{
		m2m, "cat that says nothing", clerkBackend, byKey, refuses, accepts,
		"it takes the category that some instances put into every JWT for a wrong one; here it counts as none",
	},
	{
		m2m, "cat null", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at cat; null is no category",
	},
	{
		m2m, "typ of an OAuth token", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at typ (RFC 9068, section 4)",
	},
	{
		m2m, "sub of a user", clerkSDKGo, byKey, accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		m2m, "sub without an id", clerkBackend, byKey, accepts, refuses,
		"mch_ names no machine",
	},
	{
		m2m, "sub without an id", clerkSDKGo, byKey, accepts, refuses,
		"mch_ names no machine",
	},
	{
		m2m, "scopes as a list", clerkBackend, byKey, crashes, accepts,
		"it throws; a list of text is read as one",
	},
	{
		m2m, "scopes empty", clerkBackend, byKey, otherCaller, accepts,
		`it reads no scopes as one without a name, [""]; here there are none`,
	},
	{
		m2m, "scopes from aud as text", clerkBackend, byKey, otherCaller, accepts,
		"it gives scopes as text where all else gives a list; aud may be one text (RFC 7519, section 4.1.3)",
	},
	{
		m2m, "aud as a number", clerkBackend, byKey, accepts, refuses,
		"aud is text or a list of text (RFC 7519, section 4.1.3)",
	},

	{
		oauth, "an M2M token", clerkSDKGo, byKey, accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		oauth, "a session token", clerkSDKGo, byKey, accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		oauth, "typ of any JWT", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at typ (RFC 9068, section 4)",
	},
	{
		oauth, "without typ", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at typ (RFC 9068, section 4)",
	},
	{
		oauth, "sub of a machine", clerkSDKGo, byKey, accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		oauth, "scope empty", clerkBackend, byKey, otherCaller, accepts,
		`it reads no scopes as one without a name, [""]; here there are none`,
	},

	{
		session, "an M2M token", clerkSDKGo, byKey, accepts, refuses,
		"it takes a machine for a user whose id is the machine's",
	},
	{
		session, "an M2M token without cat", clerkSDKGo, byKey, accepts, refuses,
		"it takes a machine for a user whose id is the machine's",
	},
	{
		session, "an OAuth token", clerkSDKGo, byKey, accepts, refuses,
		"it takes what an OAuth client may do for all that the user may",
	},
	{
		session, "of a JWT template", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at cat: a JWT made for a third party signs in here",
	},
	{
		session, "cat of an M2M token", clerkSDKGo, byKey, accepts, refuses,
		"it does not look at cat",
	},
	{
		session, "sub of a machine", clerkSDKGo, byKey, accepts, refuses,
		"it takes a machine for a user whose id is the machine's",
	},
	{
		session, "without sid", clerkBackend, byKey, accepts, refuses,
		"a session token is of a session",
	},
	{
		session, "without sid", clerkSDKGo, byKey, accepts, refuses,
		"a session token is of a session",
	},

	{
		lookedUp, "revoked", clerkBackend, byFlag, accepts, refuses,
		"it takes any 2xx for a yes, whatever the token's flags say",
	},
	{
		lookedUp, "expired", clerkBackend, byFlag, accepts, refuses,
		"it takes any 2xx for a yes, whatever the token's flags say",
	},
	{
		lookedUp[:2], "revoked", clerkSDKGo, byFlag, accepts, refuses,
		"it gives the flags to its caller, and no error",
	},
	{
		lookedUp[:2], "expired", clerkSDKGo, byFlag, accepts, refuses,
		"it gives the flags to its caller, and no error",
	},
}
