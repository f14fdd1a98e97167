// Package program is what the tests of the examples share: a Clerk in memory, and programs that run in the test.
package program

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// Run is a program's main without its process: it ends with the context.
type Run func(ctx context.Context, args []string, out io.Writer) error

// Clerk starts a Clerk that knows the machines of emulator.json, and points the environment at it.
func Clerk(t *testing.T) *m2mtest.Server {
	t.Helper()
	clerk := m2mtest.NewServer(t)
	machines, err := os.Open("../emulator.json")
	if err != nil {
		t.Fatal(err)
	}
	defer machines.Close()
	if err := clerk.Load(machines); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLERK_API_URL", clerk.URL())
	t.Setenv("CLERK_SECRET_KEY", "")
	return clerk
}

// As sets which machine the programs are that start from now on.
func As(t *testing.T, secretKey string) { t.Setenv("CLERK_MACHINE_SECRET_KEY", secretKey) }

// MachineID gives the id of a machine by its name.
func MachineID(t *testing.T, clerk *m2mtest.Server, name string) string {
	t.Helper()
	for m, err := range clerk.Client().Machines.All(t.Context(), wrapper.ListMachinesParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Name == name {
			return m.ID
		}
	}
	t.Fatalf("there is no machine %q", name)
	return ""
}

// Start runs a server until the test ends, and gives the address that it says it listens on.
func Start(t *testing.T, run Run, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, in)
		in.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", args[0], err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s printed no address: %v", args[0], err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}
