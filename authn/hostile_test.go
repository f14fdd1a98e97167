package authn_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
)

// hostile is a JWT that must be refused, whatever else is accepted.
type hostile struct {
	name  string
	token string
	err   error // the cause, where it is certain
}

func TestHostileJWTs(t *testing.T) {
	t.Parallel()
	now := time.Now()
	key := keyA()
	auth := newPEM(t, &key.PublicKey)
	good := sign(t, key, "RS256", m2mHeader, m2mClaims(now, ""))
	wantSignedIn(t, authenticate(t, auth, good, authn.M2MToken))
	for _, h := range hostileJWTs(t, key, now) {
		t.Run(h.name, func(t *testing.T) {
			for _, accept := range [][]authn.TokenType{{authn.M2MToken}, authn.AnyToken(), {authn.SessionToken}, {authn.OAuthToken}} {
				s := authenticate(t, auth, h.token, accept...)
				if s.Status != authn.SignedOut || s.Auth != nil || s.Err == nil || s.Reason == "" {
					t.Fatalf("accepted as %v: %+v", accept, s)
				}
				if len(accept) == 1 && accept[0] == authn.M2MToken && h.err != nil {
					wantDenied(t, s, s.Reason, h.err)
				}
				if len(s.Message) > 300 || strings.Contains(s.Message, h.token) {
					t.Errorf("message %q", s.Message)
				}
			}
		})
	}
}

func hostileJWTs(t *testing.T, key *rsa.PrivateKey, now time.Time) (list []hostile) {
	add := func(name, token string, err error) { list = append(list, hostile{name, token, err}) }
	signed := func(header, payload string) string { return sign(t, key, "RS256", header, payload) }
	header := func(name, value string) string {
		return strings.Replace(m2mHeader, `"typ"`, fmt.Sprintf("%q:%s,\"typ\"", name, value), 1)
	}
	good := m2mClaims(now, "")
	with := func(old, new string) string {
		out := strings.Replace(good, old, new, 1)
		if out == good {
			t.Fatalf("%s is not in the claims", old)
		}
		return signed(m2mHeader, out)
	}
	token := signed(m2mHeader, good)
	parts := strings.Split(token, ".")

	// Algorithms (RFC 8725 sections 2.1 and 3.1).
	public := publicPEM(t, &key.PublicKey)
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512", "rs256", "Rs256", "RS256 ", "ES256K", "dir", "RS1"} {
		head := strings.Replace(m2mHeader, "RS256", alg, 1)
		add("alg "+alg, sign(t, key, "RS256", head, good), authn.ErrAlgorithm)
		mac := hmac.New(sha256.New, []byte(public))
		text := encode(head) + "." + encode(good)
		mac.Write([]byte(text))
		add("alg "+alg+" hmac with the public key", text+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), authn.ErrAlgorithm)
		add("alg "+alg+" unsigned", text+".", nil)
	}
	for _, alg := range []string{"RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"} {
		signAs := alg
		if !strings.HasPrefix(alg, "RS") {
			signAs = "RS256"
		}
		add("alg of another key "+alg, sign(t, key, signAs, strings.Replace(m2mHeader, "RS256", alg, 1), good), authn.ErrAlgorithm)
	}
	add("alg twice", signed(header("alg", `"RS256"`), good), authn.ErrMalformed)
	add("alg missing", signed(`{"typ":"JWT"}`, good), authn.ErrAlgorithm)
	add("alg in another case", signed(`{"Alg":"RS256","typ":"JWT"}`, good), authn.ErrAlgorithm)
	add("alg an array", signed(`{"alg":["RS256"]}`, good), authn.ErrMalformed)
	add("alg null", signed(`{"alg":null}`, good), authn.ErrMalformed)
	add("alg in the payload only", signed(`{}`, strings.Replace(good, "{", `{"alg":"RS256",`, 1)), authn.ErrAlgorithm)

	// Headers.
	add("crit", signed(header("crit", `["exp"]`), good), authn.ErrCritical)
	add("crit empty", signed(header("crit", `[]`), good), authn.ErrCritical)
	add("crit null", signed(header("crit", `null`), good), authn.ErrCritical)
	add("kid a number", signed(strings.Replace(m2mHeader, `"ins_1"`, "1", 1), good), authn.ErrMalformed)
	add("kid null", signed(strings.Replace(m2mHeader, `"ins_1"`, "null", 1), good), authn.ErrMalformed)
	add("kid twice", signed(header("kid", `"ins_1"`), good), authn.ErrMalformed)
	add("kid of 1 MB", signed(strings.Replace(m2mHeader, "ins_1", strings.Repeat("k", 1<<20), 1), good), authn.ErrMalformed)
	add("typ JOSE", signed(strings.Replace(m2mHeader, "JWT", "JOSE", 1), good), authn.ErrHeaderType)
	add("typ jwt", signed(strings.Replace(m2mHeader, "JWT", "jwt", 1), good), authn.ErrHeaderType)
	add("typ at+jwt of a machine", signed(strings.Replace(m2mHeader, "JWT", "at+jwt", 1), good), authn.ErrHeaderType)
	add("typ null", signed(strings.Replace(m2mHeader, `"JWT"`, "null", 1), good), authn.ErrMalformed)
	add("typ empty", signed(strings.Replace(m2mHeader, "JWT", "", 1), good), authn.ErrHeaderType)
	for _, cat := range []string{"cl_B7d4PD111AAA", "cl_B7d4PD222AAA", "", "cl_x"} {
		err := authn.ErrCategory
		if cat == "" {
			err = nil
			continue
		}
		add("category "+cat, signed(strings.Replace(m2mHeader, "cl_B7d4PD333AAA", cat, 1), good), err)
	}
	for _, head := range []string{"null", `"x"`, "1", "[]", "true", "", " ", "{", `{"alg":"RS256"`, `{"alg":"RS256"}}`, `{"alg":"RS256"} x`, `{"alg":"RS256",}`, "\xef\xbb\xbf" + m2mHeader, "{\"alg\":\"RS256\",\"x\":\"\xff\"}", `{"alg":"RS256","x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "}"} {
		add("header "+head[:min(len(head), 30)], signed(head, good), authn.ErrMalformed)
	}

	// Payloads: what is no object, and what two readers could read differently.
	for _, payload := range []string{"", " ", "{", good + "x", good + good, "[" + good + "]", "null", `"x"`, "1", "true", good[:len(good)-1], good[:len(good)-1] + ",}", strings.Replace(good, "mch_", "mch_\xff", 1), "\xef\xbb\xbf" + good, "{\"sub\":\"mch_a\n\"}", `{'sub':'mch_a'}`} {
		add("payload "+payload[:min(len(payload), 20)], signed(m2mHeader, payload), nil)
	}
	add("sub twice", with(`"sub":`, `"sub":"mch_evil","sub":`), authn.ErrMalformed)
	add("sub twice, once escaped", with(`"sub":`, `"su\u0062":"mch_evil","sub":`), authn.ErrMalformed)
	add("sub twice, the last wins", with(`"jti":`, `"sub":"mch_evil","jti":`), authn.ErrMalformed)
	add("exp twice", with(`"jti":`, `"exp":9999999999,"jti":`), authn.ErrMalformed)
	add("a custom claim twice", signed(m2mHeader, m2mClaims(now, `,"role":"user","role":"admin"`)), authn.ErrMalformed)
	add("the 20th claim twice", signed(m2mHeader, m2mClaims(now, manyClaims(20)+`,"c19":1`)), authn.ErrMalformed)
	add("Sub for sub", with(`"sub":`, `"Sub":`), authn.ErrTokenType)
	add("Exp for exp", with(`"exp":`, `"Exp":`), authn.ErrClaim)
	add("EXP beside an expired exp", signed(m2mHeader, m2mClaims(now.Add(-2*time.Hour), `,"EXP":9999999999`)), authn.ErrExpired)

	// Claims of the wrong kind.
	exp := fmt.Sprintf(`"exp":%d`, now.Unix()+3600)
	for _, value := range []string{`"9999999999"`, "1e400", "-1e400", "null", "true", "[9999999999]", `{"a":1}`, `""`} {
		add("exp "+value, with(exp, `"exp":`+value), authn.ErrClaim)
	}
	for _, value := range []string{"-1", "0", "-0", "1e-400", fmt.Sprintf("%d", now.Unix()-6), fmt.Sprintf("%d.5", now.Unix()-7)} {
		add("exp "+value, with(exp, `"exp":`+value), authn.ErrExpired)
	}
	for _, value := range []string{"01", "+1", ".5", "1.", "1e", "0x7fffffff", "NaN", "Infinity", "1_000"} {
		add("exp "+value, with(exp, `"exp":`+value), authn.ErrMalformed)
	}
	add("exp missing", with(exp, `"x":1`), authn.ErrClaim)
	nbf, iat := fmt.Sprintf(`"nbf":%d`, now.Unix()-70), fmt.Sprintf(`"iat":%d`, now.Unix()-60)
	for _, value := range []string{`"1"`, "null", "1e400", "[]"} {
		add("nbf "+value, with(nbf, `"nbf":`+value), authn.ErrClaim)
		add("iat "+value, with(iat, `"iat":`+value), authn.ErrClaim)
	}
	add("nbf far away", with(nbf, `"nbf":1e300`), authn.ErrNotYetValid)
	add("iat far away", with(iat, `"iat":1e300`), authn.ErrIssuedInFuture)
	sub := fmt.Sprintf(`"sub":%q`, machineA)
	for _, value := range []string{"null", "7", `["mch_a"]`, `{"mch_a":1}`, `""`} {
		add("sub "+value, with(sub, `"sub":`+value), authn.ErrTokenType)
	}
	add("sub mch_", with(sub, `"sub":"mch_"`), authn.ErrClaim)
	for _, value := range []string{"7", "true", `{"a":"b"}`, `["mch_a",7]`, `[["mch_a"]]`, `[null]`} {
		add("scopes "+value, signed(m2mHeader, strings.Replace(good, `"scopes":"`, `"scopes":`+value+`,"x":"`, 1)), authn.ErrClaim)
		add("aud "+value, signed(m2mHeader, m2mClaims(now, `,"aud":`+value)), authn.ErrClaim)
	}
	add("jti 7", with(`"jti":"mt_f7f0ba8c3b4843ce7d85fcdd5e71853e"`, `"jti":7`), authn.ErrClaim)
	add("iss 7", with(fmt.Sprintf(`"iss":%q`, issuer), `"iss":7`), authn.ErrClaim)

	// Encodings and shapes.
	add("padding", strings.Join([]string{parts[0], parts[1], parts[2] + "=="}, "."), authn.ErrMalformed)
	add("padded payload", strings.Join([]string{parts[0], parts[1] + "=", parts[2]}, "."), authn.ErrMalformed)
	add("plain base64", strings.Join([]string{parts[0], parts[1], strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+"}, "."), authn.ErrMalformed)
	add("a line break", parts[0]+".\n"+parts[1]+"."+parts[2], authn.ErrMalformed)
	add("a carriage return", token+"\r", authn.ErrMalformed)
	add("a space", token+" ", authn.ErrMalformed)
	add("a NUL", token+"\x00", authn.ErrMalformed)
	for i, name := range []string{"header", "payload", "signature"} {
		empty := append([]string{}, parts...)
		empty[i] = ""
		add("without "+name, strings.Join(empty, "."), authn.ErrMalformed)
	}
	add("two parts", parts[0]+"."+parts[1], authn.ErrMalformed)
	add("four parts", token+"."+parts[2], authn.ErrMalformed)
	add("a JWE", encode(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)+".AAAA.AAAA.AAAA.AAAA", authn.ErrMalformed)
	add("JSON serialization", `{"payload":"`+parts[1]+`","protected":"`+parts[0]+`","signature":"`+parts[2]+`"}`, authn.ErrMalformed)
	add("nested", signed(strings.Replace(m2mHeader, `"typ":"JWT"`, `"cty":"JWT"`, 1), token), nil)
	add("dots", "..", authn.ErrMalformed)
	add("1 MB", strings.Repeat("a", 1<<20)+"."+parts[1]+"."+parts[2], authn.ErrMalformed)
	add("1 MB of dots", strings.Repeat(".", 1<<20), authn.ErrMalformed)

	// Signatures.
	add("of another key", sign(t, keyB(), "RS256", m2mHeader, good), authn.ErrSignature)
	add("of another payload", parts[0]+"."+encode(strings.Replace(good, "mch_2x", "mch_3x", 1))+"."+parts[2], authn.ErrSignature)
	add("of another header", encode(`{"alg":"RS256"}`)+"."+parts[1]+"."+parts[2], authn.ErrSignature)
	raw, _ := base64.RawURLEncoding.DecodeString(parts[2])
	for name, s := range map[string][]byte{
		"short": raw[:len(raw)-1], "long": append([]byte{0}, raw...), "longer": append(append([]byte{}, raw...), 0),
		"zero": make([]byte, len(raw)), "one byte": {1}, "the modulus": key.N.Bytes(),
	} {
		add("signature "+name, parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(s), authn.ErrSignature)
	}
	return list
}

func manyClaims(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"c%d":%d`, i, i)
	}
	return b.String()
}

// Every single bit of a token counts, for every algorithm.
func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p256, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, err3 := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, ed, err4 := ed25519.GenerateKey(rand.Reader)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		t.Fatal(err1, err2, err3, err4)
	}
	for alg, key := range map[string]crypto.Signer{"RS256": keyA(), "ES256": p256, "ES384": p384, "ES512": p521, "EdDSA": ed} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			auth := newPEM(t, key.Public())
			token := sign(t, key, alg, strings.Replace(m2mHeader, "RS256", alg, 1), m2mClaims(now, ""))
			wantSignedIn(t, authenticate(t, auth, token, authn.M2MToken))
			for i := range len(token) * 8 {
				if alg != "RS256" {
					break // the encoding is the same for all
				}
				b := []byte(token)
				b[i/8] ^= 1 << (i % 8)
				if s := authenticate(t, auth, string(b), authn.AnyToken()...); s.Status != authn.SignedOut {
					t.Fatalf("bit %d of byte %d can be flipped", i%8, i/8)
				}
			}
			parts := strings.Split(token, ".")
			for n, part := range parts { // and each bit below the base64
				raw, err := base64.RawURLEncoding.DecodeString(part)
				if err != nil {
					t.Fatal(err)
				}
				for i := range len(raw) * 8 {
					if slow := alg == "ES384" || alg == "ES512"; slow && i%32 != 0 || n < 2 && alg != "RS256" && i%8 != 0 {
						continue // the slow algorithms are left at a sample
					}
					raw[i/8] ^= 1 << (i % 8)
					parts[n] = base64.RawURLEncoding.EncodeToString(raw)
					raw[i/8] ^= 1 << (i % 8)
					if s := authenticate(t, auth, strings.Join(parts, "."), authn.AnyToken()...); s.Status != authn.SignedOut {
						t.Fatalf("bit %d of part %d can be flipped", i, n)
					}
				}
				parts[n] = part
			}
		})
	}
}

// What looks odd and is no other token than the plain one.
func TestOddButGoodJWTs(t *testing.T) {
	t.Parallel()
	now := time.Now()
	auth := newPEM(t, &keyA().PublicKey)
	good := m2mClaims(now, "")
	for name, payload := range map[string]string{
		"spaces":           " \t\r\n" + strings.ReplaceAll(good, `":`, "\" :\n ") + "\n",
		"escaped sub":      strings.Replace(good, `"sub":"mch_`, `"\u0073ub":"\u006dch\u005f`, 1),
		"Sub is a custom":  m2mClaims(now, `,"Sub":"mch_evil","EXP":"never","ſub":1`),
		"fractional times": strings.Replace(good, `"exp":`, `"exp":1e10,"x":`, 1),
		"nested twins":     m2mClaims(now, `,"x":{"a":1,"a":2}`),
		"deep":             m2mClaims(now, `,"x":`+strings.Repeat("[", 90)+strings.Repeat("]", 90)),
		"many claims":      m2mClaims(now, manyClaims(200)),
		"null for absent":  m2mClaims(now, `,"aud":null`),
	} {
		t.Run(name, func(t *testing.T) {
			s := authenticate(t, auth, sign(t, keyA(), "RS256", m2mHeader, payload), authn.M2MToken)
			wantSignedIn(t, s)
			if m := s.Auth.(*authn.M2MAuth); m.Subject != machineA || m.MachineID != machineA || len(m.Scopes) != 2 {
				t.Errorf("got %+v", m)
			}
		})
	}
}
