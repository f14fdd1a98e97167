package main

import (
	"bytes"
	"slices"
	"strings"
)

// unexplained stands above the differences that an update added, until a person says why they are.
const unexplained = "# Not explained yet: say here why these are deliberate."

// record is the list of deliberate differences: blocks of lines, each below the comment that gives the reason. A
// comment without lines, such as the one that heads the file, is a block too.
type record struct{ blocks []block }

type block struct{ comment, lines []string }

// parseRecord reads a list. Blocks are separated by blank lines, and every line that does not begin with # is a
// difference.
func parseRecord(data []byte) *record {
	r := &record{}
	open := false
	for text := range strings.Lines(string(data)) {
		text = strings.TrimSpace(text)
		if text == "" {
			open = false
			continue
		}
		if !open {
			r.blocks, open = append(r.blocks, block{}), true
		}
		b := &r.blocks[len(r.blocks)-1]
		if strings.HasPrefix(text, "#") {
			b.comment = append(b.comment, text)
		} else {
			b.lines = append(b.lines, text)
		}
	}
	return r
}

func (r *record) lines() []string {
	var all []string
	for _, b := range r.blocks {
		all = append(all, b.lines...)
	}
	return all
}

// drift gives the lines of now that the list does not have, and those of the list that now does not have. A line that
// stands twice counts twice.
func (r *record) drift(now []string) (added, gone []string) {
	return minus(now, r.lines()), minus(r.lines(), now)
}

// minus gives the lines of a that b does not have, sorted.
func minus(a, b []string) []string {
	count := map[string]int{}
	for _, l := range b {
		count[l]++
	}
	var rest []string
	for _, l := range a {
		if count[l]--; count[l] < 0 {
			rest = append(rest, l)
		}
	}
	slices.Sort(rest)
	return rest
}

// update makes the list say what now says. A line that it has already stays below its reason; a new one is put below
// a comment that asks for one; a block whose lines are all gone goes with them.
func (r *record) update(now []string) {
	added, gone := r.drift(now)
	kept := r.blocks[:0]
	for _, b := range r.blocks {
		had := len(b.lines)
		before := b.lines
		b.lines = minus(before, gone)
		gone = minus(gone, before)
		if had == 0 || len(b.lines) > 0 {
			kept = append(kept, b)
		}
	}
	r.blocks = kept
	if len(added) == 0 {
		return
	}
	i := slices.IndexFunc(r.blocks, func(b block) bool { return slices.Equal(b.comment, []string{unexplained}) })
	if i < 0 {
		r.blocks = append(r.blocks, block{comment: []string{unexplained}})
		i = len(r.blocks) - 1
	}
	r.blocks[i].lines = append(r.blocks[i].lines, added...)
	slices.Sort(r.blocks[i].lines)
}

func (r *record) format() []byte {
	var out bytes.Buffer
	for i, b := range r.blocks {
		if i > 0 {
			out.WriteByte('\n')
		}
		for _, l := range slices.Concat(b.comment, b.lines) {
			out.WriteString(l + "\n")
		}
	}
	return out.Bytes()
}
