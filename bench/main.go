// Command bench measures clerk-m2m against the limit and against its peers, side by side in one process.
//
//	go run .            prints the figures
//	go run . -report    also writes REPORT.md and plots/*.svg
//	go run . -only verify,client
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report := flag.Bool("report", false, "write REPORT.md and plots/")
	only := flag.String("only", "", "measure these parts only, separated by commas: "+strings.Join(partNames(), ", "))
	loadURL := flag.String("load", "", "be the process that loads this URL (used by the program itself)")
	flag.Parse()
	var err error
	if *loadURL != "" {
		err = makeLoad(*loadURL, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Stdout, *only, *report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// results is all that was measured, for the report.
type results struct {
	Machine  string
	Sections []section
	Handlers []handlerResult
	Growth   []growth
	Node     *nodeRates
	NodeNote string
	Sizes    []linked
}

type part struct {
	name string
	run  func(ctx context.Context, r *results, w io.Writer) error
}

func sectionsPart(name string, f func() ([]section, error)) part {
	return part{name, func(_ context.Context, r *results, w io.Writer) error {
		sections, err := f()
		for _, s := range sections {
			s.print(w)
		}
		r.Sections = append(r.Sections, sections...)
		return err
	}}
}

func one(s section, err error) ([]section, error) { return []section{s}, err }

func parts() []part {
	return []part{
		sectionsPart("verify", func() ([]section, error) {
			var all []section
			for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
				s, err := verifySection(alg)
				if err != nil {
					return all, err
				}
				all = append(all, s)
			}
			return all, nil
		}),
		sectionsPart("remembered", rememberedSections),
		sectionsPart("reject", func() ([]section, error) { return one(rejectSection()) }),
		{"handler", func(ctx context.Context, r *results, w io.Writer) (err error) {
			r.Handlers, err = handlers(ctx)
			printHandlers(w, r.Handlers)
			return err
		}},
		sectionsPart("client", func() ([]section, error) { return one(clientSection()) }),
		sectionsPart("source", func() ([]section, error) {
			s, _, err := tokenSourceSections()
			return s, err
		}),
		{"growth", func(ctx context.Context, r *results, w io.Writer) (err error) {
			r.Growth, err = growthTable(ctx)
			printGrowth(w, r.Growth)
			return err
		}},
		{"node", func(ctx context.Context, r *results, w io.Writer) error {
			rates, err := node(ctx, os.Stderr)
			if errors.Is(err, errNoNode) {
				r.NodeNote = err.Error()
				fmt.Fprintln(w, "\n@clerk/backend on node:", err)
				return nil
			}
			if err == nil {
				r.Node = &rates
				fmt.Fprintf(w, "\n@clerk/backend 3.25.0 on node: m2m.verify %.0f/s, authenticateRequest %.0f/s\n", rates.Verify, rates.AuthenticateRequest)
			}
			return err
		}},
		{"size", func(ctx context.Context, r *results, w io.Writer) (err error) {
			r.Sizes, err = sizes(ctx)
			printSizes(w, r.Sizes)
			return err
		}},
	}
}

func partNames() (names []string) {
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

func run(ctx context.Context, w io.Writer, only string, report bool) error {
	wanted := partNames()
	if only != "" {
		wanted = strings.Split(only, ",")
		for _, name := range wanted {
			if !slices.Contains(partNames(), name) {
				return fmt.Errorf("there is no part %q; there are %s", name, strings.Join(partNames(), ", "))
			}
		}
	}
	r := &results{Machine: machine()}
	fmt.Fprintln(w, r.Machine)
	for _, p := range parts() {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		if err := p.run(ctx, r, w); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if !report {
		return nil
	}
	return r.write()
}

// machine describes where the figures are from.
func machine() string {
	cpu := "an unknown CPU"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
				cpu = strings.TrimLeft(name, "\t :")
				break
			}
		}
	}
	return fmt.Sprintf("%s %s/%s, %d CPUs, %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpu)
}
