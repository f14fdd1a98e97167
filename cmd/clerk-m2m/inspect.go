package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mauth/clerk-m2m/authn"
)

func (a *app) inspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "Show what a token says, without checking it and without any network",
		Long: `Show what a token says: its type, header, claims and times. The token is read from FILE or stdin. Nothing is
checked and nothing is sent: what is shown is what the bearer claims. ` + "`clerk-m2m authenticate`" + ` checks.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := input(cmd, args)
			if err != nil {
				return err
			}
			i, err := inspect(strings.TrimSpace(token))
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(i)
			}
			return i.print(cmd, time.Now())
		},
	}
}

// inspection is what a token says of itself.
type inspection struct {
	TokenType authn.TokenType `json:"tokenType"`
	Format    string          `json:"format"`
	Header    json.RawMessage `json:"header,omitempty"`
	Claims    json.RawMessage `json:"claims,omitempty"`
	Checks    []string        `json:"checks"`
}

func inspect(token string) (*inspection, error) {
	i := &inspection{TokenType: authn.TypeOf(token), Format: "opaque"}
	if i.TokenType == "" {
		return nil, errors.New("this is no token of Clerk's: it starts with none of mt_, ak_, oat_, and it is not a JWT")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		i.Checks = []string{"Clerk is asked whether the token exists, and that it is not revoked or expired"}
		if i.TokenType == authn.M2MToken {
			i.Checks = append(i.Checks, "asked with a machine's secret key, that its scopes hold that machine")
		}
		return i, nil
	}
	i.Format = "jwt"
	for n, to := range []*json.RawMessage{&i.Header, &i.Claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil || !json.Valid(b) {
			return nil, fmt.Errorf("part %d of the JWT is not base64url of JSON", n+1)
		}
		*to = b
	}
	i.Checks = []string{
		"the algorithm in the header is one that is allowed, and the one of the key",
		"the signature is by a key of the instance, the one that kid names",
		"the category (cat), where there is one, is that of the token type",
		"exp is there and not past; nbf and iat, where they are there, are not in the future",
	}
	return i, nil
}

func (i *inspection) print(cmd *cobra.Command, now time.Time) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "type\t%s, %s\n", i.TokenType, i.Format)
	for _, part := range []struct {
		name string
		raw  json.RawMessage
	}{{"header", i.Header}, {"claims", i.Claims}} {
		if part.raw == nil {
			continue
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, part.raw, "\t", "  "); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\n", part.name, indented.String())
	}
	for _, line := range i.times(now) {
		fmt.Fprintln(w, line)
	}
	for n, check := range i.Checks {
		name := ""
		if n == 0 {
			name = "to check"
		}
		fmt.Fprintf(w, "%s\t%s\n", name, check)
	}
	return w.Flush()
}

// times gives the times among the claims in words.
func (i *inspection) times(now time.Time) (lines []string) {
	var claims map[string]json.RawMessage
	if json.Unmarshal(i.Claims, &claims) != nil {
		return nil
	}
	for _, t := range []struct{ claim, words string }{{"iat", "issued"}, {"nbf", "valid from"}, {"exp", "expires"}} {
		raw, ok := claims[t.claim]
		if !ok {
			continue
		}
		var seconds float64
		if json.Unmarshal(raw, &seconds) != nil || seconds < -1e11 || seconds > 1e11 {
			lines = append(lines, t.words+"\tat a time that is not a number of seconds")
			continue
		}
		when := time.Unix(int64(seconds), 0).UTC()
		lines = append(lines, fmt.Sprintf("%s\t%s (%s)", t.words, when.Format(time.RFC3339), distance(when.Sub(now))))
	}
	return lines
}

func distance(d time.Duration) string {
	words := d.Abs().Round(time.Second).String()
	if days := int(d.Abs().Hours() / 24); days > 1 {
		words = fmt.Sprintf("%d days", days)
	}
	if d < 0 {
		return words + " ago"
	}
	return "in " + words
}
