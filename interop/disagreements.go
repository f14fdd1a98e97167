package main

import "github.com/m2mauth/clerk-m2m/authn"

// disagreement is one that is known, with why it stays. Without a mode it holds for both.
type disagreement struct {
	accept       []authn.TokenType
	name         string
	peer         string
	mode         string
	theirs, ours decision
	why          string
}

// find gives the place in known of what is known of an opinion, or -1.
func find(known []disagreement, o opinion) int {
	for i, d := range known {
		if d.name != o.name || d.peer != o.peer || d.mode != "" && d.mode != o.mode {
			continue
		}
		for _, accept := range d.accept {
			if accept == o.accept {
				return i
			}
		}
	}
	return -1
}

var (
	everyKind = []authn.TokenType{authn.M2MToken, authn.OAuthToken, authn.SessionToken}
	m2m       = everyKind[:1]
	oauth     = everyKind[1:2]
	session   = everyKind[2:]
)

// disagreements are all that there are. A run fails on one that is not here, and on one here that is no more.
//
// clerk-sdk-go has jwt.Verify, for session tokens, and nothing else for a JWT: so it is asked about all kinds.
var disagreements = []disagreement{
	{
		everyKind, "without exp", clerkSDKGo, "", accepts, refuses,
		"it takes a JWT that never expires",
	},
	{
		everyKind, "without sub", clerkSDKGo, "", accepts, refuses,
		"it takes a JWT that names nobody",
	},
	{
		everyKind, "without iss", clerkSDKGo, "", refuses, accepts,
		"the key proves the issuer; authn.WithIssuer asks for the claim too",
	},
	{
		everyKind, "iss of another service", clerkSDKGo, "", refuses, accepts,
		"it wants an iss that begins with https://clerk., which anyone may have; authn.WithIssuer compares all of it",
	},
	{
		everyKind, "typ in lower case", clerkSDKGo, "", accepts, refuses,
		"it does not look at typ (RFC 8725, section 3.11)",
	},
	{
		everyKind, "base64 with padding", clerkSDKGo, "", accepts, refuses,
		"RFC 7515, section 2 has none; one token has one text here, so that one is remembered or revoked as one",
	},
	{
		session, "base64 with padding", clerkBackend, "", accepts, refuses,
		"as for clerk-sdk-go; of M2M and OAuth tokens it does see the padding",
	},
	{
		everyKind, "base64 with loose trailing bits", clerkSDKGo, "", accepts, refuses,
		"one token has one text here (RFC 4648, section 3.5)",
	},

	{
		everyKind, "a critical extension", clerkBackend, "", accepts, refuses,
		"what is critical and not understood is refused (RFC 7515, section 4.1.11)",
	},
	{
		everyKind, "alg twice", clerkBackend, "", accepts, refuses,
		"it takes the last of two; readers who take the first see another token (RFC 7519, section 4)",
	},
	{
		everyKind, "sub twice", clerkBackend, "", accepts, refuses,
		"as for alg: who is calling must not depend on the reader",
	},
	{
		m2m, "header null", clerkBackend, "", crashes, refuses,
		"it throws, and the service answers 500 to whoever sends this",
	},
	{
		oauth, "payload null", clerkBackend, "", crashes, refuses,
		"it throws, and the service answers 500 to whoever sends this",
	},

	{
		m2m, "a session token", clerkSDKGo, "", accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		m2m, "an OAuth token", clerkSDKGo, "", accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		m2m, "cat of a session", clerkSDKGo, "", accepts, refuses,
		"it does not look at cat, by which Clerk tells what a JWT was made for",
	},
	{
		m2m, "cat of a JWT template", clerkSDKGo, "", accepts, refuses,
		"it does not look at cat: what a template says is the application's choice, also sub",
	},
	{
		m2m, "cat unknown", clerkSDKGo, "", accepts, refuses,
		"it does not look at cat",
	},
	{
		m2m, "cat that says nothing", clerkBackend, "", refuses, accepts,
		"it takes the category that some instances put into every JWT for a wrong one; here it counts as none",
	},
	{
		m2m, "typ of an OAuth token", clerkSDKGo, "", accepts, refuses,
		"it does not look at typ (RFC 9068, section 4)",
	},
	{
		m2m, "sub of a user", clerkSDKGo, "", accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		m2m, "sub without an id", clerkBackend, "", accepts, refuses,
		"mch_ names no machine",
	},
	{
		m2m, "sub without an id", clerkSDKGo, "", accepts, refuses,
		"mch_ names no machine",
	},
	{
		m2m, "scopes as a list", clerkBackend, "", crashes, accepts,
		"it throws; a list of text is read as one",
	},
	{
		m2m, "scopes empty", clerkBackend, "", otherCaller, accepts,
		`it reads no scopes as one without a name, [""]; here there are none`,
	},
	{
		m2m, "scopes from aud as text", clerkBackend, "", otherCaller, accepts,
		"it gives scopes as text where all else gives a list; aud may be one text (RFC 7519, section 4.1.3)",
	},
	{
		m2m, "aud as a number", clerkBackend, "", accepts, refuses,
		"aud is text or a list of text (RFC 7519, section 4.1.3)",
	},

	{
		oauth, "an M2M token", clerkSDKGo, "", accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		oauth, "a session token", clerkSDKGo, "", accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		oauth, "typ of any JWT", clerkSDKGo, "", accepts, refuses,
		"it does not look at typ (RFC 9068, section 4)",
	},
	{
		oauth, "without typ", clerkSDKGo, "", accepts, refuses,
		"it does not look at typ (RFC 9068, section 4)",
	},
	{
		oauth, "sub of a machine", clerkSDKGo, "", accepts, refuses,
		"it knows one kind of JWT",
	},
	{
		oauth, "scope empty", clerkBackend, "", otherCaller, accepts,
		`it reads no scopes as one without a name, [""]; here there are none`,
	},

	{
		session, "an M2M token", clerkSDKGo, "", accepts, refuses,
		"it takes a machine for a user whose id is the machine's",
	},
	{
		session, "an M2M token without cat", clerkSDKGo, "", accepts, refuses,
		"it takes a machine for a user whose id is the machine's",
	},
	{
		session, "an OAuth token", clerkSDKGo, "", accepts, refuses,
		"it takes what an OAuth client may do for all that the user may",
	},
	{
		session, "of a JWT template", clerkSDKGo, "", accepts, refuses,
		"it does not look at cat: a JWT made for a third party signs in here",
	},
	{
		session, "cat of an M2M token", clerkSDKGo, "", accepts, refuses,
		"it does not look at cat",
	},
	{
		session, "sub of a machine", clerkSDKGo, "", accepts, refuses,
		"it takes a machine for a user whose id is the machine's",
	},
	{
		session, "without sid", clerkBackend, "", accepts, refuses,
		"a session token is of a session",
	},
	{
		session, "without sid", clerkSDKGo, "", accepts, refuses,
		"a session token is of a session",
	},
}
