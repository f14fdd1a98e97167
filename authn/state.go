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
	ID      string // the token's id (mt_...), for logs and for revoking it; "" for a JWT without a jti
	Subject string // the calling machine (mch_...), set by Clerk
	// Scopes are the machines that may be called with the token. In a JWT that was verified by its
	// signature they come from claims whose issuance Clerk does not document: see [WithMachineID].
	Scopes    []string
	Claims    Claims    // custom claims, set by whoever created the token
	MachineID string    // the same as Subject, under the name Clerk's SDK has for it
	ExpiresAt time.Time // zero: never
}

// APIKeyAuth is the user, organization or machine whose API key was presented.
type APIKeyAuth struct {
	ID        string // the key's id, not the key
	Subject   string // user_..., org_... or mch_...
	Name      string // what people call the key
	Scopes    []string
	Claims    Claims
	UserID    string    // the subject if it is a user, else ""
	OrgID     string    // the subject if it is an organization, else ""
	MachineID string    // the subject if it is a machine, else ""
	ExpiresAt time.Time // zero: never
}

// OAuthAuth is a user on whose behalf an OAuth client calls.
type OAuthAuth struct {
	ID        string // the token's id; "" for a JWT without a jti
	Subject   string
	UserID    string // the same as Subject
	ClientID  string // the OAuth client; "" for a JWT without client_id
	Scopes    []string
	ExpiresAt time.Time // zero: never
}

// SessionAuth is a signed-in user.
type SessionAuth struct {
	UserID    string
	SessionID string
	Claims    Claims // all claims but iss, sub, exp, nbf, iat and jti
	ExpiresAt time.Time
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
func (c Claims) MarshalJSON() ([]byte, error) { return []byte(c.jsonText()), nil }

func (c Claims) jsonText() json.RawMessage {
	if c == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(c)
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

// MarshalJSON gives the names that Clerk's SDK has; ExpiresAt is left out.
func (a *M2MAuth) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID        string   `json:"id"`
		Subject   string   `json:"subject"`
		Scopes    []string `json:"scopes"`
		Claims    Claims   `json:"claims"`
		MachineID string   `json:"machineId"`
	}{a.ID, a.Subject, orEmpty(a.Scopes), a.Claims, a.MachineID})
}

// MarshalJSON gives the names that Clerk's SDK has; MachineID and ExpiresAt are left out.
func (a *APIKeyAuth) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID      string   `json:"id"`
		Subject string   `json:"subject"`
		Name    string   `json:"name"`
		Scopes  []string `json:"scopes"`
		Claims  Claims   `json:"claims"`
		UserID  *string  `json:"userId"`
		OrgID   *string  `json:"orgId"`
	}{a.ID, a.Subject, a.Name, orEmpty(a.Scopes), a.Claims, orNull(a.UserID), orNull(a.OrgID)})
}

// MarshalJSON gives the names that Clerk's SDK has; ExpiresAt is left out.
func (a *OAuthAuth) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID       string   `json:"id"`
		Subject  string   `json:"subject"`
		Scopes   []string `json:"scopes"`
		UserID   string   `json:"userId"`
		ClientID string   `json:"clientId"`
	}{a.ID, a.Subject, orEmpty(a.Scopes), a.UserID, a.ClientID})
}

// MarshalJSON gives the names that Clerk's SDK has; Claims and ExpiresAt are left out.
func (a *SessionAuth) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		UserID    string `json:"userId"`
		SessionID string `json:"sessionId"`
	}{a.UserID, a.SessionID})
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
