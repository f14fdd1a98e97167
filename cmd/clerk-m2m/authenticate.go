package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m2mauth/clerk-m2m/authn"
)

// What authenticate exits with.
const (
	exitSignedOut    = exitStatus(1)
	exitCannotDecide = exitStatus(2)
)

func (a *app) authenticate() *cobra.Command {
	var accept []string
	var jwtKeyFile, publishableKey string
	var network bool
	types := make([]string, len(authn.AnyToken()))
	for i, t := range authn.AnyToken() {
		types[i] = string(t)
	}
	cmd := &cobra.Command{
		Use:   "authenticate [FILE]",
		Short: "Say who a request or token is from, as a server would; exit 0 signed in, 1 signed out, 2 cannot decide",
		Long: `Say who a request or token is from, as a server that uses this library would, and print the state as JSON.
A raw HTTP request, or a token alone, is read from FILE or stdin. The exit status is 0 when signed in, 1 when signed
out, and 2 when it cannot be decided, a misconfiguration included. Keys come from the environment: CLERK_SECRET_KEY,
CLERK_MACHINE_SECRET_KEY, CLERK_JWT_KEY, CLERK_PUBLISHABLE_KEY.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, err := a.state(cmd, args, accept, jwtKeyFile, publishableKey, network)
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "clerk-m2m:", err)
				return exitCannotDecide
			}
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(state); err != nil {
				return err
			}
			switch {
			case state.Status == authn.SignedIn:
				return nil
			case errors.Is(state.Err, authn.ErrCannotDecide):
				fmt.Fprintln(cmd.ErrOrStderr(), "clerk-m2m:", state.Err)
				return exitCannotDecide
			}
			return exitSignedOut
		},
	}
	cmd.Flags().StringSliceVar(&accept, "accept", types, "the token types to accept")
	cmd.Flags().StringVar(&jwtKeyFile, "jwt-key-file", "", "read the PEM public key for JWTs from this file")
	cmd.Flags().StringVar(&publishableKey, "publishable-key", os.Getenv("CLERK_PUBLISHABLE_KEY"), "take the keys for JWTs from this instance's Frontend API")
	cmd.Flags().BoolVar(&network, "network", false, "have Clerk verify M2M JWTs too")
	_ = cmd.RegisterFlagCompletionFunc("accept", cobra.FixedCompletions(types, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) state(cmd *cobra.Command, args, accept []string, jwtKeyFile, publishableKey string, network bool) (*authn.State, error) {
	in, err := input(cmd, args)
	if err != nil {
		return nil, err
	}
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	opts := []authn.Option{authn.WithLogger(slog.New(slog.DiscardHandler))} // the state says it all
	pem := os.Getenv("CLERK_JWT_KEY")
	if jwtKeyFile != "" {
		b, err := os.ReadFile(jwtKeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the JWT key: %w", err)
		}
		pem = string(b)
	}
	if pem != "" {
		opts = append(opts, authn.WithJWTKey(pem))
	}
	if publishableKey != "" {
		opts = append(opts, authn.WithPublishableKey(publishableKey))
	}
	if network {
		opts = append(opts, authn.WithNetworkVerification())
	}
	auth, err := authn.New(client, opts...)
	if err != nil {
		return nil, err
	}
	defer auth.Close()
	types := make([]authn.TokenType, len(accept))
	for i, t := range accept {
		types[i] = authn.TokenType(t)
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(in)))
	if err != nil {
		// Not a request, so a token alone.
		return auth.AuthenticateToken(cmd.Context(), strings.TrimSpace(in), types...)
	}
	return auth.AuthenticateRequest(req.WithContext(cmd.Context()), types...)
}
