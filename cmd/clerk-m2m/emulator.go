package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m2mauth/clerk-m2m/m2mtest"
)

func (a *app) emulator() *cobra.Command {
	var addr, seedFile string
	var jwtOnly bool
	var faults []string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "emulator",
		Short: "Serve Clerk's machine-auth API in memory, for any Clerk SDK, until interrupted",
		Long: `Serve Clerk's machine-auth API in memory. The variables that point a Clerk SDK at it are printed on stdout, one a
line as NAME=value; each call is logged on stderr. An interrupt (Ctrl-C) or SIGTERM ends it.`,
		Example: `  clerk-m2m emulator
  clerk-m2m emulator --faults operation=verifyM2MToken,status=503,probability=0.1 --faults latency=200ms`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts := []m2mtest.Option{m2mtest.WithCallHook(func(c m2mtest.Call) { fmt.Fprintln(cmd.ErrOrStderr(), c) })}
			if jwtOnly {
				opts = append(opts, m2mtest.WithJWTOnly())
			}
			if cmd.Flags().Changed("seed") {
				opts = append(opts, m2mtest.WithSeed(seed))
			}
			server, err := m2mtest.New(opts...)
			if err != nil {
				return err
			}
			for _, text := range faults {
				f, err := m2mtest.ParseFault(text)
				if err != nil {
					return err
				}
				server.Faults(f)
			}
			if seedFile != "" {
				if err := load(server, seedFile); err != nil {
					return err
				}
			}
			if err := server.Start(addr); err != nil {
				return err
			}
			defer server.Close()
			if err := printEnv(cmd.OutOrStdout(), server); err != nil {
				return err
			}
			<-cmd.Context().Done()
			fmt.Fprintf(cmd.ErrOrStderr(), "stopped after %d calls; at Clerk they would have cost $%.5f\n", len(server.Calls()), server.Cost().USD())
			return server.Close()
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:4010", "where to listen; port 0 takes a free one")
	cmd.Flags().StringVar(&seedFile, "seed-file", "", "start with the machines and API keys of this JSON file")
	cmd.Flags().BoolVar(&jwtOnly, "jwt-only", false, "refuse to mint opaque tokens")
	cmd.Flags().StringArrayVar(&faults, "faults", nil, "spoil answers, such as status=503,probability=0.1; may be given more than once")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "make ids, secrets and faults the same at each start")
	return cmd
}

func load(server *m2mtest.Server, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := server.Load(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// printEnv prints what points a Clerk SDK at the server.
func printEnv(w io.Writer, s *m2mtest.Server) error {
	_, err := fmt.Fprintf(w, "CLERK_API_URL=%s\nCLERK_SECRET_KEY=%s\nCLERK_MACHINE_SECRET_KEY=%s\nCLERK_PUBLISHABLE_KEY=%s\nCLERK_JWT_KEY=%s\n",
		s.URL(), s.SecretKey(), s.MachineSecretKey(s.Machine().ID), s.PublishableKey(), strings.ReplaceAll(s.JWTKey(), "\n", `\n`))
	return err
}
