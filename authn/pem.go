package authn

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// parsePEM reads a public key as the Clerk dashboard shows it: PKIX PEM, whose line breaks may have
// become "\n" in an environment variable, or the bare base64 between its markers.
func parsePEM(text string) (*publicKey, error) {
	text = strings.TrimSpace(strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text))
	if text == "" {
		return nil, errors.New("the key is empty")
	}
	key, err := decodePEM(text)
	if err != nil {
		return nil, err
	}
	return newPublicKey("", "", key)
}

func decodePEM(text string) (crypto.PublicKey, error) {
	if !strings.Contains(text, "-----") {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errors.New("the key is neither PEM nor base64")
		}
		return parsePKIX(der)
	}
	block, rest := pem.Decode([]byte(pemLines(text)))
	switch {
	case block == nil:
		return nil, errors.New("the key is no PEM block")
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("there is something after the first PEM block; give one key")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("the key is a private key; give the public key, and replace this one if it was shared")
	case block.Type == "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block RSA PUBLIC KEY holds no such key")
		}
		return key, nil
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("the PEM block is a %q, not a PUBLIC KEY", block.Type)
	}
	return parsePKIX(block.Bytes)
}

// pemLines puts the markers on lines of their own, which a key squeezed into one line has not.
func pemLines(text string) string {
	const begin, end = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
	body, ok := strings.CutPrefix(text, begin)
	if !ok {
		return text
	}
	body, rest, ok := strings.Cut(body, end)
	if !ok {
		return text
	}
	return begin + "\n" + strings.Join(strings.Fields(body), "\n") + "\n" + end + "\n" + rest
}

func parsePKIX(der []byte) (crypto.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("the key is not a PKIX public key (SubjectPublicKeyInfo)")
	}
	return key, nil
}
