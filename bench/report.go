package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

const plotDir = "plots"

// write makes REPORT.md and a plot for each comparison.
func (r *results) write() error {
	if err := os.MkdirAll(plotDir, 0o755); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What it costs\n\nWritten by `make bench-report` on %s: %s. Absolute times drift with the machine's load; ratios are taken\n"+
		"within rounds of a few milliseconds, the contenders in random order, and hold.\n", time.Now().UTC().Format(time.DateOnly), r.Machine)
	for i, s := range r.Sections {
		name := fmt.Sprintf("%02d.svg", i+1)
		if err := s.plot(filepath.Join(plotDir, name)); err != nil {
			return fmt.Errorf("plotting %s: %w", s.Title, err)
		}
		fmt.Fprintf(&b, "\n%s\n![%s](%s/%s)\n", s.markdown(), s.Title, plotDir, name)
	}
	if len(r.Handlers) > 0 {
		fmt.Fprintf(&b, "\n## A handler behind middleware\n\n%d connections from another process.\n\n| | requests/s | of plain | p99 |\n|---|---:|---:|---:|\n", loadConns)
		for _, h := range r.Handlers {
			fmt.Fprintf(&b, "| %s | %.0f | %.2f | %s |\n", h.Name, h.Rate, h.Ratio, h.P99.Round(10*time.Microsecond))
		}
	}
	if len(r.Growth) > 0 {
		b.WriteString("\n## What Clerk would bill as traffic grows\n\n" + growthNote + "\n\n" + growthMarkdown(r.Growth))
	}
	switch {
	case r.Node != nil:
		fmt.Fprintf(&b, "\n## @clerk/backend 3.25.0 on node\n\nThe same token: m2m.verify %.0f per second, authenticateRequest %.0f per second.\n", r.Node.Verify, r.Node.AuthenticateRequest)
	case r.NodeNote != "":
		fmt.Fprintf(&b, "\n## @clerk/backend on node\n\n%s\n", r.NodeNote)
	}
	if len(r.Sizes) > 0 {
		b.WriteString("\n## What lands in a user's binary\n\nStripped, over a program with net/http and encoding/json.\n\n| | KiB more | packages |\n|---|---:|---:|\n")
		for _, s := range r.Sizes {
			fmt.Fprintf(&b, "| %s | %d | %d |\n", s.Name, s.KiB, s.Packages)
		}
	}
	return os.WriteFile("REPORT.md", []byte(b.String()), 0o644)
}

// plot draws the ratios of a section as bars.
func (s section) plot(path string) error {
	rows := s.sorted()
	p := plot.New()
	p.Title.Text = s.Title
	p.X.Label.Text = "time, as a ratio to the first"
	values := make(plotter.Values, len(rows))
	names := make([]string, len(rows))
	high := 0.0
	for i, r := range rows {
		// The first row is drawn at the top.
		at := len(rows) - 1 - i
		values[at], names[at] = r.Ratio, r.Name
		high = max(high, r.Ratio)
	}
	bars, err := plotter.NewBarChart(values, vg.Points(14))
	if err != nil {
		return err
	}
	bars.Horizontal = true
	p.Add(bars, plotter.NewGrid())
	p.NominalY(names...)
	p.X.Min, p.X.Max = 0, high*1.05
	return p.Save(7*vg.Inch, vg.Length(len(rows))*vg.Points(26)+vg.Points(80), path)
}
