package wrapper

import "testing"

func TestChallengesInvalidToken(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]bool{
		`Bearer error="invalid_token"`:                                    true,
		`bearer error=invalid_token`:                                      true,
		`Bearer realm="a, b", error="invalid_token"`:                      true,
		`Bearer realm="a",error = "invalid_token" , scope="x"`:            true,
		`Basic realm="x", Bearer error="invalid_token"`:                   true,
		`Negotiate, Bearer realm="x", error="invalid_token"`:              true,
		`Negotiate abc==, Bearer error="invalid_token"`:                   true,
		`Bearer realm="x", DPoP algs="ES256", error="invalid_token"`:      false,
		`DPoP error="invalid_token", Bearer`:                              false,
		`Bearer realm="error=invalid_token"`:                              false,
		`Bearer realm="x\", Bearer error=invalid_token"`:                  false,
		`Bearer realm="unterminated, error="invalid_token", error="x"`:    false,
		`Bearer error_description="invalid_token"`:                        false,
		`Bearer error="invalid_request", error_description="no, a token"`: false,
		`Bearer`: false, ``: false, `,,`: false, `error="invalid_token"`: false, `Bearer "`: false, `Bearer realm="\`: false,
	} {
		if got := challengesInvalidToken(field); got != want {
			t.Errorf("%s: %t", field, got)
		}
	}
}
