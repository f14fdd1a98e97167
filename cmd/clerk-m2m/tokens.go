package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

func (a *app) tokens() *cobra.Command {
	cmd := &cobra.Command{Use: "tokens", Short: "Mint, list, verify and revoke M2M tokens"}
	cmd.AddCommand(a.tokensCreate(), a.tokensList(), a.tokensVerify(), a.tokensRevoke())
	return cmd
}

func (a *app) tokensCreate() *cobra.Command {
	var format, claims string
	var ttl, remaining time.Duration
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Mint a token for the machine whose secret key is in CLERK_MACHINE_SECRET_KEY, and print it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			params := wrapper.CreateM2MTokenParams{}
			f := wrapper.TokenFormat(format)
			if !f.Valid() {
				return fmt.Errorf("--format %q is neither opaque nor jwt", format)
			}
			params.TokenFormat = &f
			if claims != "" {
				var object map[string]json.RawMessage
				if err := json.Unmarshal([]byte(claims), &object); err != nil {
					return errors.New("--claims is not a JSON object")
				}
				params.Claims = json.RawMessage(claims)
			}
			var err error
			if params.SecondsUntilExpiration, err = seconds(cmd, "ttl", ttl); err != nil {
				return err
			}
			if params.MinRemainingTTLSeconds, err = seconds(cmd, "min-remaining", remaining); err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			token, err := client.M2MTokens.Create(cmd.Context(), params)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(token)
			}
			// The token alone on stdout, so that $(...) catches it; the rest is for the person.
			fmt.Fprintf(cmd.ErrOrStderr(), "%s for %s, expires %s\n", token.ID, token.Subject, at(token.Expiration))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(token.Token))
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "opaque", "opaque or jwt")
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "the lifetime, such as 1h; the machine's default when not given")
	cmd.Flags().DurationVar(&remaining, "min-remaining", 0, "reuse a live opaque token with at least this much left")
	cmd.Flags().StringVar(&claims, "claims", "", "custom claims, a JSON object")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"opaque", "jwt"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// seconds gives a duration flag as the API wants it, nil where it was not given.
func seconds(cmd *cobra.Command, flag string, d time.Duration) (*int64, error) {
	if !cmd.Flags().Changed(flag) {
		return nil, nil
	}
	if d%time.Second != 0 || d < 0 {
		return nil, fmt.Errorf("--%s %s is not a whole number of seconds", flag, d)
	}
	return new(int64(d / time.Second)), nil
}

var tokenHeader = []string{"ID", "SUBJECT", "SCOPES", "STATE", "EXPIRES"}

func tokenRow(t *wrapper.M2MToken) []string {
	state := "live"
	switch {
	case t.Revoked:
		state = "revoked"
	case t.Expired:
		state = "expired"
	}
	return []string{t.ID, t.Subject, orDash(strings.Join(t.Scopes, " ")), state, at(t.Expiration)}
}

func (a *app) tokensList() *cobra.Command {
	var revoked, expired bool
	cmd := &cobra.Command{
		Use:   "list MACHINE_ID",
		Short: "List the opaque tokens of a machine, newest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			o := a.out(cmd, tokenHeader...)
			params := wrapper.ListM2MTokensParams{Subject: args[0], Revoked: &revoked, Expired: &expired}
			for t, err := range client.M2MTokens.All(cmd.Context(), params) {
				if err != nil {
					return errors.Join(err, o.done())
				}
				if err := o.add(t, tokenRow(t)...); err != nil {
					return err
				}
			}
			return o.done()
		},
	}
	cmd.Flags().BoolVar(&revoked, "revoked", false, "list revoked tokens too")
	cmd.Flags().BoolVar(&expired, "expired", false, "list expired tokens too")
	return cmd
}

func (a *app) tokensVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Ask Clerk which machine a token stands for; the token is read from FILE or stdin",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := input(cmd, args)
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			t, err := client.M2MTokens.Verify(cmd.Context(), strings.TrimSpace(token))
			if err != nil {
				return err
			}
			return a.printOne(cmd, tokenHeader, t, tokenRow(t))
		},
	}
}

func (a *app) tokensRevoke() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "revoke TOKEN_ID",
		Short: "Revoke an opaque token by its id, which is not its value",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			params := wrapper.RevokeM2MTokenParams{}
			if reason != "" {
				params.RevocationReason = &reason
			}
			t, err := client.M2MTokens.Revoke(cmd.Context(), args[0], params)
			if err != nil {
				return err
			}
			return a.printOne(cmd, tokenHeader, t, tokenRow(t))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, kept with the token")
	return cmd
}
