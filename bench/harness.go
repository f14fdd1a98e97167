package main

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// contender is one way to do a thing. f does it once; an error ends the run, because what fails is not measured.
type contender struct {
	name string
	f    func() error
}

// row is what was measured of a contender.
type row struct {
	Name   string
	NsOp   float64 // median over rounds
	Ratio  float64 // to the first contender, median over rounds
	Low    float64 // the ratio's 10th percentile
	High   float64 // the ratio's 90th percentile
	BytesO float64 // bytes allocated per call
	Allocs float64 // allocations per call
}

// section is one comparison: its first row is what the others are compared with.
type section struct {
	Title string
	Note  string
	Rows  []row
}

const (
	rounds = 25
	slice  = 8 * time.Millisecond
)

// compare runs contenders side by side: in each round every one gets a slice of time, in random order, and its ratio
// is to the first one's slice of the same round, so that what slows the machine for a while slows all.
func compare(title, note string, contenders ...contender) (section, error) {
	return compareParallel(title, note, 1, contenders...)
}

func compareParallel(title, note string, goroutines int, contenders ...contender) (section, error) {
	s := section{Title: title, Note: note}
	times := make([][]float64, len(contenders))
	counts := make([]int, len(contenders))
	for i, c := range contenders {
		n, err := calibrate(c.f)
		if err != nil {
			return s, fmt.Errorf("%s: %s: %w", title, c.name, err)
		}
		counts[i] = n
	}
	order := make([]int, len(contenders))
	for i := range order {
		order[i] = i
	}
	for range rounds {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			ns, err := timed(contenders[i].f, counts[i], goroutines)
			if err != nil {
				return s, fmt.Errorf("%s: %s: %w", title, contenders[i].name, err)
			}
			times[i] = append(times[i], ns)
		}
	}
	for i, c := range contenders {
		ratios := make([]float64, rounds)
		for r := range rounds {
			ratios[r] = times[i][r] / times[0][r]
		}
		bytes, allocs := memory(c.f)
		s.Rows = append(s.Rows, row{
			Name: c.name, NsOp: quantile(times[i], .5), Ratio: quantile(ratios, .5), Low: quantile(ratios, .1),
			High: quantile(ratios, .9), BytesO: bytes, Allocs: allocs,
		})
	}
	return s, nil
}

// calibrate gives how many calls fill a slice.
func calibrate(f func() error) (int, error) {
	for n := 1; ; n *= 2 {
		start := time.Now()
		for range n {
			if err := f(); err != nil {
				return 0, err
			}
		}
		if d := time.Since(start); d >= slice/2 {
			return max(1, int(float64(n)*float64(slice)/float64(d))), nil
		}
	}
}

// timed gives the nanoseconds per call over n calls of each goroutine; with several, wall time over all calls.
func timed(f func() error, n, goroutines int) (float64, error) {
	if goroutines == 1 {
		start := time.Now()
		for range n {
			if err := f(); err != nil {
				return 0, err
			}
		}
		return float64(time.Since(start).Nanoseconds()) / float64(n), nil
	}
	each := max(1, n/goroutines)
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	start := time.Now()
	for range goroutines {
		wg.Go(func() {
			for range each {
				if err := f(); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(time.Since(start).Nanoseconds()) / float64(each*goroutines), nil
}

// memory gives bytes and allocations per call.
func memory(f func() error) (bytes, allocs float64) {
	const n = 200
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	_ = f()
	runtime.ReadMemStats(&before)
	for range n {
		_ = f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / n, float64(after.Mallocs-before.Mallocs) / n
}

func quantile(v []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// print writes a section as a table, the fastest first but for the baseline.
func (s section) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", s.Title)
	if s.Note != "" {
		fmt.Fprintf(w, "%s\n", s.Note)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tns/op\tratio\t10 %\t90 %\tB/op\tallocs/op\t")
	for _, r := range s.sorted() {
		fmt.Fprintf(t, "%s\t%s\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t\n", r.Name, nanos(r.NsOp), r.Ratio, r.Low, r.High, r.BytesO, r.Allocs)
	}
	_ = t.Flush()
}

func (s section) sorted() []row {
	rows := slices.Clone(s.Rows)
	if len(rows) > 1 {
		slices.SortStableFunc(rows[1:], func(a, b row) int { return cmp.Compare(a.Ratio, b.Ratio) })
	}
	return rows
}

// markdown gives a section as a table of Markdown.
func (s section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", s.Title)
	if s.Note != "" {
		b.WriteString(s.Note + "\n\n")
	}
	b.WriteString("| | ns/op | ratio | 10 % to 90 % | B/op | allocs/op |\n|---|---:|---:|---:|---:|---:|\n")
	for _, r := range s.sorted() {
		fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f to %.2f | %.0f | %.0f |\n", r.Name, nanos(r.NsOp), r.Ratio, r.Low, r.High, r.BytesO, r.Allocs)
	}
	return b.String()
}

func nanos(ns float64) string {
	if ns < 1000 {
		return fmt.Sprintf("%.1f", ns)
	}
	return fmt.Sprintf("%.0f", ns)
}
