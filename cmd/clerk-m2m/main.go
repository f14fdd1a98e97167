// Command clerk-m2m does by hand what the library does: it mints, lists, verifies and revokes tokens, manages
// machines, looks into tokens, serves Clerk's machine-auth API in memory, and shows the whole story (demo).
//
// Secrets come from the environment (CLERK_MACHINE_SECRET_KEY, CLERK_SECRET_KEY) or from files, never from the
// command line, which other users of a machine can see.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the command without the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if exit, ok := errors.AsType[exitStatus](err); ok {
		return int(exit)
	}
	if err != nil {
		fmt.Fprintln(stderr, "clerk-m2m:", err)
		return 1
	}
	return 0
}

// exitStatus is an answer, not a failure: it ends the command with its number and prints nothing.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func newRoot() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:   "clerk-m2m",
		Short: "Prove to another service which machine you are, with Clerk's machine authentication",
		Long: `Prove to another service which machine you are, with Clerk's machine authentication.

Credentials are read from CLERK_MACHINE_SECRET_KEY and CLERK_SECRET_KEY, or from files; CLERK_API_URL says where
the API is (` + "`clerk-m2m emulator`" + ` serves one that needs no account).`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "print JSON for scripts, one value a line")
	flags.StringVar(&a.secretKeyFile, "secret-key-file", "", "read the instance's secret key from this file")
	flags.StringVar(&a.machineKeyFile, "machine-secret-key-file", "", "read the machine's secret key from this file")
	root.AddCommand(a.demo(), a.emulator(), a.tokens(), a.machines(), a.inspect(), a.authenticate())
	return root
}
