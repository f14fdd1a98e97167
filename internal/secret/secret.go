// Package secret holds the type of every credential in the API's models.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a String shows instead of its value.
const redacted = "[redacted]"

// String is a credential: a token, a secret key or an API key. Formatting it with any verb, or logging it with
// slog, shows "[redacted]", or nothing when it is empty; string(s) gives its value. Encoded as JSON it is its value,
// because there it is data on its way to or from Clerk.
type String string

// Format implements [fmt.Formatter] for every verb, so that none prints the value.
func (s String) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'q' || verb == 'v' && f.Flag('#'):
		fmt.Fprintf(f, "%q", s.String())
	default:
		_, _ = io.WriteString(f, s.String())
	}
}

// String implements [fmt.Stringer].
func (s String) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// LogValue implements [slog.LogValuer].
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
