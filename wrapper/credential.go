package wrapper

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/m2mauth/clerk-m2m/generated"
)

// RequestEditor changes one request just before it is sent. Editors of the client run first, then those of the call,
// each in the order given, and an error of one ends the call before any network.
type RequestEditor = generated.RequestEditorFn

// MachineSecretKey gives one call the secret key of a machine (ak_...): it swaps the Authorization header, whatever
// the client is configured with. Where the operation does not take a machine's key, the call is a [*CredentialError].
func MachineSecretKey(key string) RequestEditor { return present(MachineSecretKeyKind, key) }

// SecretKey gives one call the secret key of an instance (sk_...): it swaps the Authorization header, whatever the
// client is configured with. Where the operation does not take the instance's key, the call is a [*CredentialError].
func SecretKey(key string) RequestEditor { return present(SecretKeyKind, key) }

// presented is how an editor tells the gate of which kind the header is that it set.
type presented struct {
	kind   CredentialKind
	header string
}

type presentedKey struct{}

func present(kind CredentialKind, key string) RequestEditor {
	return func(ctx context.Context, req *http.Request) error {
		if err := checkKey(kind, key); err != nil {
			return err
		}
		header := "Bearer " + key
		req.Header.Set("Authorization", header)
		*req = *req.WithContext(context.WithValue(req.Context(), presentedKey{}, presented{kind, header}))
		return nil
	}
}

// keys are the credentials that a client is configured with; "" is none.
type keys struct{ machine, instance string }

func (k keys) kinds() (set CredentialKind) {
	if k.machine != "" {
		set |= MachineSecretKeyKind
	}
	if k.instance != "" {
		set |= SecretKeyKind
	}
	return set
}

// authorization decides the Authorization header of a request: the one that editors set, or one from the configured
// keys, and never one of a kind that the operation does not take.
func authorization(op *generated.Operation, set string, by presented, configured keys) (string, error) {
	if set != "" {
		kind := kindOf(set)
		if by.header == set {
			kind = by.kind
		}
		if kind != 0 && !op.Credentials.Has(kind) {
			return "", &CredentialError{Operation: op.ID, Takes: op.Credentials, Given: kind}
		}
		return set, nil
	}
	switch {
	case op.Credentials.Has(MachineSecretKeyKind) && configured.machine != "":
		return "Bearer " + configured.machine, nil
	case op.Credentials.Has(SecretKeyKind) && configured.instance != "":
		return "Bearer " + configured.instance, nil
	}
	return "", &CredentialError{Operation: op.ID, Takes: op.Credentials, Configured: configured.kinds()}
}

// kindOf tells by its prefix which kind of credential a header carries, whatever its scheme; 0 when it cannot be told.
func kindOf(header string) CredentialKind {
	fields := strings.Fields(header)
	if len(fields) == 0 {
		return 0
	}
	return kindOfKey(fields[len(fields)-1])
}

func kindOfKey(key string) CredentialKind {
	switch {
	case strings.HasPrefix(key, "sk_"):
		return SecretKeyKind
	case strings.HasPrefix(key, "ak_"):
		return MachineSecretKeyKind
	}
	return 0
}

var (
	errKeyEmpty = errors.New("the key is empty")
	errKeyChars = errors.New("the key has spaces or control characters in it; was it copied with a line end?")
	errKeyKind  = errors.New("the key is of another kind: a machine's secret key starts with ak_, an instance's with sk_")
)

// checkKey refuses what cannot be a key of the kind. The error never holds the key.
func checkKey(kind CredentialKind, key string) error {
	var err error
	switch k := kindOfKey(key); {
	case key == "":
		err = errKeyEmpty
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		err = errKeyChars
	case k != 0 && k != kind:
		err = errKeyKind
	default:
		return nil
	}
	return &CredentialError{Given: kind, Err: err}
}
