package wrapper

import (
	"net/http"
	"slices"
	"strings"
)

// refused tells whether a callee says that the token itself is at fault: a 401 with a Bearer challenge whose error is
// invalid_token (RFC 6750, section 3.1).
func refused(resp *http.Response) bool {
	return resp.StatusCode == http.StatusUnauthorized &&
		slices.ContainsFunc(resp.Header.Values("WWW-Authenticate"), challengesInvalidToken)
}

// challengesInvalidToken reads one WWW-Authenticate field, which may hold several challenges and whose commas are
// between challenges as well as between the parameters of one (RFC 9110, section 11.6.1).
func challengesInvalidToken(field string) bool {
	scheme := ""
	for field != "" {
		var element string
		element, field = cutElement(field)
		name, rest, spaced := strings.Cut(strings.TrimSpace(element), " ")
		rest = strings.TrimSpace(rest)
		param := name + rest
		if !strings.Contains(name, "=") && !(spaced && strings.HasPrefix(rest, "=")) {
			scheme, param = name, rest
		}
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(scheme, "Bearer") && strings.EqualFold(strings.TrimSpace(name), "error") &&
			strings.Trim(strings.TrimSpace(value), `"`) == "invalid_token" {
			return true
		}
	}
	return false
}

// cutElement cuts a list at its first comma outside a quoted string.
func cutElement(list string) (element, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}
