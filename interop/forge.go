package main

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // RS384 and RS512
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// forger makes JWTs of the instance's that the instance would never make.
type forger struct {
	key      *rsa.PrivateKey // the instance's
	stranger *rsa.PrivateKey
	pem      string // the public key of the instance
}

func newForger(key *rsa.PrivateKey, pem string) (*forger, error) {
	stranger, err := rsa.GenerateKey(rand.Reader, key.N.BitLen())
	return &forger{key: key, stranger: stranger, pem: pem}, err
}

// forge changes a good token as f says.
func (m *forger) forge(token string, f forged) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("not a JWT: it has %d parts", len(parts))
	}
	if f.header != nil || f.claims != nil || f.rawHeader != nil || f.rawPayload != nil || f.sign != byInstance {
		header, err := change(parts[0], f.header)
		if err != nil {
			return "", err
		}
		payload, err := change(parts[1], f.claims)
		if err != nil {
			return "", err
		}
		if alg, ok := algorithms[f.sign]; ok {
			if header, err = set(header, map[string]any{"alg": alg}); err != nil {
				return "", err
			}
		}
		if f.rawHeader != nil {
			header = f.rawHeader(header)
		}
		if f.rawPayload != nil {
			payload = f.rawPayload(payload)
		}
		if token, err = m.sign(header, payload, f.sign); err != nil {
			return "", err
		}
	}
	if f.afterwards != nil {
		token = f.afterwards(token)
	}
	return token, nil
}

// change decodes a part of a JWT and sets its members.
func change(part string, members map[string]any) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return "", err
	}
	return set(string(text), members)
}

// set sets members of a JSON object, and takes away those whose value is nil.
func set(text string, members map[string]any) (string, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return "", err
	}
	maps.Copy(object, members)
	maps.DeleteFunc(object, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(object)
	return string(b), err
}

// algorithms is what the header says where that is not what it was.
var algorithms = map[signing]string{
	withSecret: "HS256", notAtAll: "none", withRS384: "RS384", withRS512: "RS512", withPS256: "PS256", onlyClaimed: "RS512",
}

func (m *forger) sign(header, payload string, how signing) (string, error) {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	var signature []byte
	var err error
	switch how {
	case notAtAll:
	case withSecret:
		mac := hmac.New(sha256.New, []byte(m.pem))
		mac.Write([]byte(signed))
		signature = mac.Sum(nil)
	case withPS256:
		sum := sha256.Sum256([]byte(signed))
		signature, err = rsa.SignPSS(rand.Reader, m.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case withRS384:
		signature, err = pkcs1(m.key, crypto.SHA384, signed)
	case withRS512:
		signature, err = pkcs1(m.key, crypto.SHA512, signed)
	case byStranger:
		signature, err = pkcs1(m.stranger, crypto.SHA256, signed)
	case byInstance, onlyClaimed:
		signature, err = pkcs1(m.key, crypto.SHA256, signed)
	default:
		err = fmt.Errorf("signing %q is not known", how)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

func pkcs1(key *rsa.PrivateKey, hash crypto.Hash, signed string) ([]byte, error) {
	h := hash.New()
	h.Write([]byte(signed))
	return rsa.SignPKCS1v15(rand.Reader, key, hash, h.Sum(nil))
}
