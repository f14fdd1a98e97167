package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

const sample = `# What the list is.
#
# More of it.

# Numbers.
a-id GET /a: one
b-id GET /b: two

# Errors.
c-id GET /c: three
c-id GET /c: three
`

func TestRecordKeepsWhatItRead(t *testing.T) {
	t.Parallel()
	if got := string(parseRecord([]byte(sample)).format()); got != sample {
		t.Errorf("got:\n%s", got)
	}
	messy := strings.ReplaceAll(strings.ReplaceAll(sample, "\n\n", "\n\n \n"), "\n", "\r\n")
	if got := string(parseRecord([]byte(messy)).format()); got != sample {
		t.Errorf("got, of other line ends and more blank lines:\n%s", got)
	}
}

func TestRecordDrift(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		now, added, gone []string
	}{
		{
			name: "the same in another order",
			now:  []string{"c-id GET /c: three", "b-id GET /b: two", "c-id GET /c: three", "a-id GET /a: one"},
		},
		{
			name:  "one new, one gone",
			now:   []string{"a-id GET /a: one", "d-id GET /d: four", "c-id GET /c: three", "c-id GET /c: three"},
			added: []string{"d-id GET /d: four"},
			gone:  []string{"b-id GET /b: two"},
		},
		{
			name: "one of two that read the same is gone",
			now:  []string{"a-id GET /a: one", "b-id GET /b: two", "c-id GET /c: three"},
			gone: []string{"c-id GET /c: three"},
		},
		{
			name:  "a third that reads the same",
			now:   append(parseRecord([]byte(sample)).lines(), "c-id GET /c: three"),
			added: []string{"c-id GET /c: three"},
		},
		{
			name: "everything gone",
			gone: []string{"a-id GET /a: one", "b-id GET /b: two", "c-id GET /c: three", "c-id GET /c: three"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := parseRecord([]byte(sample))
			added, gone := r.drift(c.now)
			if !slices.Equal(added, c.added) || !slices.Equal(gone, c.gone) {
				t.Errorf("got new %q, gone %q; want %q, %q", added, gone, c.added, c.gone)
			}
			r.update(c.now)
			if added, gone := parseRecord(r.format()).drift(c.now); len(added)+len(gone) > 0 {
				t.Errorf("after an update: new %q, gone %q", added, gone)
			}
		})
	}
}

func TestRecordUpdateKeepsReasons(t *testing.T) {
	t.Parallel()
	r := parseRecord([]byte(sample))
	r.update([]string{"b-id GET /b: two", "e-id GET /e: five", "d-id GET /d: four"})
	want := `# What the list is.
#
# More of it.

# Numbers.
b-id GET /b: two

` + unexplained + `
d-id GET /d: four
e-id GET /e: five
`
	if got := string(r.format()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	r = parseRecord([]byte(want))
	r.update(append(r.lines(), "a-id GET /a: one"))
	if got := string(r.format()); got != strings.Replace(want, "d-id", "a-id GET /a: one\nd-id", 1) {
		t.Errorf("another new line was not put to the first ones:\n%s", got)
	}
}

// TestCommittedList holds the committed list to its form: each difference has a reason, none is unexplained, and each
// names an operation of the spec, or none.
func TestCommittedList(t *testing.T) {
	t.Parallel()
	const file = "../../openapi/upstream-differences.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(ourSpec)
	if err != nil {
		t.Fatal(err)
	}
	var where []string
	for _, op := range operations(doc) {
		where = append(where, op.method+" "+op.path)
	}
	r := parseRecord(data)
	if string(r.format()) != string(data) {
		t.Error("the list is not as an update would write it")
	}
	if len(r.lines()) == 0 {
		t.Error("the list is empty, but our security schemes alone differ from Clerk's")
	}
	for _, b := range r.blocks {
		if len(b.lines) > 0 && (len(b.comment) == 0 || slices.Contains(b.comment, unexplained)) {
			t.Errorf("no reason is given for %q and what stands with it", b.lines[0])
		}
		if !slices.IsSorted(b.lines) {
			t.Errorf("not sorted: the block of %q", b.lines[0])
		}
		for _, l := range b.lines {
			head, text, ok := strings.Cut(l, ": ")
			_, at, has := strings.Cut(head, " ")
			if !ok || text == "" || has && !slices.Contains(where, at) {
				t.Errorf("not a difference in an operation of the spec: %q", l)
			}
		}
	}
}
