package authn_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
)

// BenchmarkVerify compares cold and remembered verification of an M2M JWT with the bare signature check.
func BenchmarkVerify(b *testing.B) {
	key, token := benchToken(b)
	first, last := strings.Index(token, "."), strings.LastIndex(token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(token[last+1:])
	if err != nil {
		b.Fatal(err)
	}
	b.Run("limit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			digest := sha256.Sum256([]byte(token[:last]))
			if rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) != nil {
				b.Fatal("bad signature")
			}
		}
	})
	off := authn.WithTokenCache(authn.TokenCache{Size: -1})
	b.Run("cold", func(b *testing.B) {
		benchAuthenticate(b, newPEM(b, &key.PublicKey, off), token, authn.SignedIn)
	})
	b.Run("remembered", func(b *testing.B) {
		benchAuthenticate(b, newPEM(b, &key.PublicKey), token, authn.SignedIn)
	})
	b.Run("garbage", func(b *testing.B) {
		benchAuthenticate(b, newPEM(b, &key.PublicKey), "garbage", authn.SignedOut)
	})
	b.Run("wrong alg", func(b *testing.B) {
		hs := encode(`{"alg":"HS256","kid":"ins_1","typ":"JWT","cat":"cl_B7d4PD333AAA"}`) + token[first:]
		benchAuthenticate(b, newPEM(b, &key.PublicKey), hs, authn.SignedOut)
	})
	b.Run("wrong category", func(b *testing.B) {
		other := encode(`{"alg":"RS256","kid":"ins_1","typ":"JWT","cat":"cl_B7d4PD111AAA"}`) + token[first:]
		benchAuthenticate(b, newPEM(b, &key.PublicKey), other, authn.SignedOut)
	})
	b.Run("wrong type", func(b *testing.B) {
		a := newPEM(b, &key.PublicKey)
		b.ReportAllocs()
		for b.Loop() {
			s, err := a.AuthenticateToken(context.Background(), token, authn.SessionToken)
			if err != nil || s.Status != authn.SignedOut {
				b.Fatal(s, err)
			}
		}
	})
}

// BenchmarkRequire is a handler behind Require, with a remembered token, against the bare handler.
func BenchmarkRequire(b *testing.B) {
	key, token := benchToken(b)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for name, h := range map[string]http.Handler{
		"plain": handler, "required": newPEM(b, &key.PublicKey).Require(authn.M2MToken)(handler),
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

func benchAuthenticate(b *testing.B, a *authn.Authenticator, token string, want authn.Status) {
	b.ReportAllocs()
	ctx := context.Background()
	for b.Loop() {
		s, err := a.AuthenticateToken(ctx, token, authn.M2MToken)
		if err != nil || s.Status != want {
			b.Fatal(s, err)
		}
	}
}

func benchToken(b *testing.B) (*rsa.PrivateKey, string) {
	return keyA(), m2mJWT(b, "ins_1", keyA(), time.Now())
}
