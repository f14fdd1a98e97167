package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// growth is what a number of calling machines costs at Clerk in a month, by how tokens are made and verified.
type growth struct {
	Machines int
	Rows     []growthRow
}

type growthRow struct {
	Name                     string
	MintedPerHour, VerifiedH int // measured, for the machines that were simulated
	MonthUSD                 float64
}

const (
	callsPerHour = 60   // of each machine
	growthSample = 1000 // the most machines that are simulated; their counts are scaled up, because they are linear
	hoursPerMon  = 730
	hours        = 4 // simulated, so that renewals count as often as they happen
)

const growthNote = "Each machine makes 60 calls an hour with tokens that live an hour. What is counted are the calls that reached the\n" +
	"backend in four simulated hours (at most 1,000 machines are simulated, and the count is scaled), priced at Clerk's list\n" +
	"prices of $0.001 a creation and $0.00001 an opaque verification, without the free allowance of a plan."

// growthTable simulates an hour of traffic on the built-in backend, whose clock is moved, and counts billed calls.
func growthTable(ctx context.Context) ([]growth, error) {
	var table []growth
	simulated := map[string]growthRow{} // by way and sample
	for _, machines := range []int{10, 100, 1000, 10_000, 100_000} {
		g := growth{Machines: machines}
		for _, way := range []struct {
			name   string
			format wrapper.TokenFormat
			source bool // one token per machine and lifetime, or one for each call
			cache  time.Duration
		}{
			{"opaque, a token for each call", wrapper.TokenFormatOpaque, false, 0},
			{"opaque, TokenSource", wrapper.TokenFormatOpaque, true, 0},
			{"opaque, TokenSource, remembered for 5 minutes", wrapper.TokenFormatOpaque, true, 5 * time.Minute},
			{"JWT, a token for each call", wrapper.TokenFormatJWT, false, 0},
			{"JWT, TokenSource", wrapper.TokenFormatJWT, true, 0},
		} {
			sample := min(machines, growthSample)
			key := fmt.Sprint(way.name, sample)
			row, done := simulated[key]
			if !done {
				var err error
				if row, err = simulate(ctx, sample, way.format, way.source, way.cache); err != nil {
					return table, fmt.Errorf("%s: %w", way.name, err)
				}
				simulated[key] = row
			}
			scale := machines / sample
			row.Name, row.MintedPerHour, row.VerifiedH = way.name, row.MintedPerHour*scale, row.VerifiedH*scale
			row.MonthUSD = (float64(row.MintedPerHour)*0.001 + float64(row.VerifiedH)*0.00001) * hoursPerMon
			g.Rows = append(g.Rows, row)
		}
		table = append(table, g)
	}
	return table, nil
}

// simulate runs some hours in steps of a minute. Tokens are fetched and presented in the process; every call that Clerk
// would bill goes to the backend over HTTP. Without a TokenSource every 60th call is made and counted 60 times: they
// are all alike.
func simulate(ctx context.Context, machines int, format wrapper.TokenFormat, source bool, cache time.Duration) (growthRow, error) {
	server, err := m2mtest.New()
	if err != nil {
		return growthRow{}, err
	}
	if err := server.Start("127.0.0.1:0"); err != nil {
		return growthRow{}, err
	}
	defer server.Close()
	callee := server.Machine()
	auth, err := authn.New(server.MachineClient(callee.ID), authn.WithJWTKey(server.JWTKey()), authn.WithClock(server.Now),
		authn.WithTokenCache(authn.TokenCache{Size: 2 * machines, OpaqueMaxAge: cache}))
	if err != nil {
		return growthRow{}, err
	}
	defer auth.Close()
	machine := server.AddMachine("caller", callee.ID)
	client := server.MachineClient(machine.ID)
	every := 1
	if !source {
		every = callsPerHour
	}
	params := wrapper.CreateM2MTokenParams{TokenFormat: &format, SecondsUntilExpiration: new(int64(3600))}
	sources := make([]*wrapper.TokenSource, machines)
	for i := range sources {
		sources[i] = client.M2MTokens.TokenSource(params, wrapper.WithTokenClock(server.Now))
		defer sources[i].Close()
	}
	call := func(s *wrapper.TokenSource) error {
		var bearer string
		if source {
			token, err := s.Token()
			if err != nil {
				return err
			}
			bearer = token.AccessToken
		} else {
			token, err := client.M2MTokens.Create(ctx, params)
			if err != nil {
				return err
			}
			bearer = string(token.Token)
		}
		return signedIn(auth.AuthenticateToken(ctx, bearer, authn.M2MToken))
	}
	for minute := range hours * callsPerHour {
		for _, s := range sources {
			if minute%every != 0 {
				continue
			}
			if err := call(s); err != nil {
				return growthRow{}, err
			}
		}
		settle(server)
		server.Advance(time.Minute)
	}
	cost := server.Cost()
	return growthRow{MintedPerHour: cost.M2MTokensCreated * every / hours, VerifiedH: cost.OpaqueVerifications * every / hours}, nil
}

// settle waits until the renewals that the last minute started have reached the backend.
func settle(server *m2mtest.Server) {
	for before := -1; before != server.CallsTo("createM2MToken"); time.Sleep(3 * time.Millisecond) {
		before = server.CallsTo("createM2MToken")
	}
}

func printGrowth(w io.Writer, table []growth) {
	fmt.Fprintf(w, "\nWhat Clerk would bill as traffic grows\n%s\n", growthNote)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "machines\t\tminted/h\tverified/h\t$/month\t")
	for _, g := range table {
		for _, r := range g.Rows {
			fmt.Fprintf(t, "%d\t%s\t%d\t%d\t%.2f\t\n", g.Machines, r.Name, r.MintedPerHour, r.VerifiedH, r.MonthUSD)
		}
	}
	_ = t.Flush()
}

func growthMarkdown(table []growth) string {
	var b strings.Builder
	b.WriteString("| machines | | minted/h | verified/h | $/month |\n|---:|---|---:|---:|---:|\n")
	for _, g := range table {
		for _, r := range g.Rows {
			fmt.Fprintf(&b, "| %d | %s | %d | %d | %.2f |\n", g.Machines, r.Name, r.MintedPerHour, r.VerifiedH, r.MonthUSD)
		}
	}
	return b.String()
}
