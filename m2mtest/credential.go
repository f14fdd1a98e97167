package m2mtest

import (
	"net/http"
	"strings"

	"github.com/m2mauth/clerk-m2m/generated"
)

// principal is who makes a call.
type principal struct {
	kind      generated.CredentialKind
	machineID string // "" for the instance
}

// mayTouch tells whether the principal may deal with what belongs to a machine.
func (p principal) mayTouch(machineID string) bool {
	return p.kind == generated.CredentialKindSecretKey || p.machineID == machineID
}

// authenticate finds whose credential a request bears, and whether the operation takes it.
func (s *Server) authenticate(op *generated.Operation, r *http.Request) (principal, *refusal) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return principal{}, unauthorized("authentication_invalid", "There is no Authorization header.")
	}
	scheme, key, _ := strings.Cut(values[0], " ")
	key = strings.TrimLeft(key, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || key == "" {
		return principal{}, unauthorized("authorization_header_format_invalid", "The Authorization header is not Bearer and one secret key.")
	}

	p := s.identify(key)
	if p.kind != 0 && op.Credentials.Has(p.kind) {
		return p, nil
	}
	code := "clerk_key_invalid"
	if op.Credentials.Has(generated.CredentialKindMachineSecretKey) {
		code = "machine_secret_key_invalid"
	}
	if p.kind == 0 {
		return principal{}, unauthorized(code, "The secret key is not one of this instance's, or no longer.")
	}
	takes := "a machine's secret key"
	if op.Credentials == generated.CredentialKindSecretKey {
		takes = "the instance's secret key"
	}
	return principal{}, unauthorized(code, op.ID+" takes "+takes+", and was given the other kind.")
}

func unauthorized(code, long string) *refusal {
	return refuse(http.StatusUnauthorized, code, "Unauthorized", long)
}

func (s *Server) identify(key string) principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key == s.secretKey {
		return principal{kind: generated.CredentialKindSecretKey}
	}
	if m := s.state.machineBySecret(key, s.Now()); m != nil {
		return principal{kind: generated.CredentialKindMachineSecretKey, machineID: m.id}
	}
	return principal{}
}
