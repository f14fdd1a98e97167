package main

import (
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/examples/internal/program"
)

func TestHTTPClient(t *testing.T) {
	clerk := program.Clerk(t)

	program.As(t, "ak_billing")
	addr := program.Start(t, run, "serve", "127.0.0.1:0")

	program.As(t, "ak_orders")
	var out strings.Builder
	for range 2 {
		if err := run(t.Context(), []string{"fetch", "http://" + addr + "/report"}, &out); err != nil {
			t.Fatal(err)
		}
	}
	line := "report for " + program.MachineID(t, clerk, "orders") + "\n"
	if out.String() != line+line {
		t.Errorf("got %q, want %q twice", out.String(), line)
	}
	if n := clerk.CallsTo("createM2MToken"); n != 2 {
		t.Errorf("two runs minted %d tokens", n)
	}

	program.As(t, "ak_billing") // which may not call itself
	err := run(t.Context(), []string{"fetch", "http://" + addr + "/report"}, &out)
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a machine without the scope got %v, want 401", err)
	}
}
