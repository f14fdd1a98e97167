package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Status says whether a request is authenticated.
type Status string

const (
	SignedIn  Status = "signed-in"
	SignedOut Status = "signed-out"
)

// Reason says why a request is signed out, in the words of Clerk's own SDK where it has one. It goes
// into the x-clerk-auth-reason header of a rejection.
type Reason string

const (
	ReasonNoTokenInHeader         Reason = "No token in header"
	ReasonSessionTokenMissing     Reason = "session-token-and-uat-missing"
	ReasonTokenTypeMismatch       Reason = "token-type-mismatch"
	ReasonTokenInvalid            Reason = "token-invalid"
	ReasonTokenVerificationFailed Reason = "token-verification-failed"
	ReasonInvalidAlgorithm        Reason = "token-invalid-algorithm"
	ReasonInvalidSignature        Reason = "token-invalid-signature"
	ReasonInvalidIssuer           Reason = "token-invalid-issuer"
	ReasonInvalidAuthorizedParty  Reason = "token-invalid-authorized-parties"
	ReasonSessionTokenExpired     Reason = "session-token-expired"
	ReasonSessionTokenNotYetValid Reason = "session-token-nbf"
	ReasonSessionTokenIATInFuture Reason = "session-token-iat-in-the-future"
	ReasonKeyIDMismatch           Reason = "jwk-kid-mismatch"
	ReasonKeysFailedToLoad        Reason = "jwk-remote-failed-to-load"
	ReasonSecretKeyInvalid        Reason = "secret-key-invalid"
	ReasonUnexpectedError         Reason = "unexpected-error"
	// ReasonMachineNotAllowed is this package's own: the token is good, the policy denies its machine.
	ReasonMachineNotAllowed Reason = "machine-not-allowed"
)

// State is what is known about a request's caller. It holds no credential, belongs to the caller of
// the function that returned it, and may be kept.
type State struct {
	Status Status
	// TokenType is the type of the token that was judged; "" where several types are accepted and none
	// was presented or matched.
	TokenType TokenType
	// Reason says why the request is signed out; "" when it is signed in.
	Reason Reason
	// Message says the same to a person who reads a log. It is not for the caller.
	Message string
	// Auth is one of *M2MAuth, *APIKeyAuth, *OAuthAuth and *SessionAuth; nil unless signed in.
	Auth Auth
	// Err is the cause of a denial, for errors.Is and errors.As; nil when signed in.
	Err error
}

// Auth is who is signed in: *[M2MAuth], *[APIKeyAuth], *[OAuthAuth] or *[SessionAuth].
type Auth interface{ tokenType() TokenType }

// M2MAuth is a machine that calls.
type M2MAuth struct {
	ID      string `json:"id"`      // the token's id (mt_...), for logs and for revoking it; "" for a JWT without a jti
	Subject string `json:"subject"` // the calling machine (mch_...), set by Clerk
	// Scopes are the machines that may be called with the token. In a JWT that was verified by its
	// signature they come from claims whose issuance Clerk does not document: see [WithMachineID].
	Scopes    []string  `json:"scopes"`
	Claims    Claims    `json:"claims"`    // custom claims, set by whoever created the token
	MachineID string    `json:"machineId"` // the same as Subject, under the name that Clerk's SDK has for it
	ExpiresAt time.Time `json:"-"`         // zero: never
}

// APIKeyAuth is the user, organization or machine whose API key was presented.
type APIKeyAuth struct {
	ID        string    `json:"id"`      // the key's id, not the key
	Subject   string    `json:"subject"` // user_..., org_... or mch_...
	Name      string    `json:"name"`    // what people call the key
	Scopes    []string  `json:"scopes"`
	Claims    Claims    `json:"claims"`
	UserID    string    `json:"userId"` // the subject if it is a user, else "", in JSON null
	OrgID     string    `json:"orgId"`  // the subject if it is an organization, else "", in JSON null
	MachineID string    `json:"-"`      // the subject if it is a machine, else ""
	ExpiresAt time.Time `json:"-"`      // zero: never
}

// OAuthAuth is a user on whose behalf an OAuth client calls.
type OAuthAuth struct {
	ID        string    `json:"id"` // the token's id; "" for a JWT without a jti
	Subject   string    `json:"subject"`
	UserID    string    `json:"userId"`   // the same as Subject
	ClientID  string    `json:"clientId"` // the OAuth client; "" for a JWT without client_id
	Scopes    []string  `json:"scopes"`
	ExpiresAt time.Time `json:"-"` // zero: never
}

// SessionAuth is a signed-in user.
type SessionAuth struct {
	UserID    string    `json:"userId"`
	SessionID string    `json:"sessionId"`
	Claims    Claims    `json:"-"` // all claims but iss, sub, exp, nbf, iat and jti
	ExpiresAt time.Time `json:"-"`
}

func (*M2MAuth) tokenType() TokenType     { return M2MToken }
func (*APIKeyAuth) tokenType() TokenType  { return APIKey }
func (*OAuthAuth) tokenType() TokenType   { return OAuthToken }
func (*SessionAuth) tokenType() TokenType { return SessionToken }

// Claims is the text of a JSON object: a token's custom claims, or "" for none. Numbers keep the digits
// they were sent with.
type Claims string

// Decode unmarshals the claims into v, as [json.Unmarshal] does. Empty claims are an error, so that
// what was not sent is not taken for its zero value.
func (c Claims) Decode(v any) error {
	if c == "" {
		return errors.New("authn: decoding claims: the token has no custom claims")
	}
	if err := json.Unmarshal([]byte(c), v); err != nil {
		return fmt.Errorf("authn: decoding claims: %w", err)
	}
	return nil
}

// MarshalJSON gives the object, or null when there is none.
func (c Claims) MarshalJSON() ([]byte, error) {
	if c == "" {
		return []byte("null"), nil
	}
	return []byte(c), nil
}

// MarshalJSON gives status, tokenType, reason, message and auth; tokenType and reason are null where
// they are "". There is no credential in it.
func (s *State) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Status    Status  `json:"status"`
		TokenType *string `json:"tokenType"`
		Reason    *string `json:"reason"`
		Message   string  `json:"message"`
		Auth      Auth    `json:"auth"`
	}{s.Status, orNull(string(s.TokenType)), orNull(string(s.Reason)), s.Message, s.Auth})
}

// MarshalJSON gives null for a UserID or OrgID that is "", as Clerk's SDK does.
func (a *APIKeyAuth) MarshalJSON() ([]byte, error) {
	type plain APIKeyAuth
	return json.Marshal(struct {
		*plain
		UserID *string `json:"userId"`
		OrgID  *string `json:"orgId"`
	}{(*plain)(a), orNull(a.UserID), orNull(a.OrgID)})
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
