package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/generated"
)

// judgement is one run of judgeAll over one case; clerk-sdk-go always agrees with us.
type judgement struct {
	name   string
	want   decision // what is expected of us; "" is refuses
	ours   verdict
	theirs verdict // of @clerk/backend
	known  []disagreement
	fails  string // a part of what the failure says; "" when nothing fails
}

func (j judgement) run(t *testing.T) {
	t.Parallel()
	c := tokenCase{name: "a token", accept: authn.M2MToken, ours: j.want}
	o := opinion{accept: c.accept, name: c.name, mode: pemMode}
	ours := map[opinion]verdict{o: j.ours}
	theirs := map[opinion]verdict{}
	o.peer = clerkBackend
	theirs[o] = j.theirs
	o.peer = clerkSDKGo
	theirs[o] = j.ours
	var out bytes.Buffer
	r := &report{out: &out}
	judgeAll(r, []trial{{mode: pemMode, cases: []tokenCase{c}}}, ours, theirs, j.known)
	if j.fails == "" && (r.failed != 0 || r.passed != 1) || j.fails != "" && r.failed != 1 || !strings.Contains(out.String(), j.fails) {
		t.Errorf("want a failure with %q; printed:\n%s", j.fails, &out)
	}
}

func TestJudgeAll(t *testing.T) {
	t.Parallel()
	as := func(auth string) verdict { return verdict{Decision: accepts, Auth: json.RawMessage(auth)} }
	no, crash := verdict{Decision: refuses}, verdict{Decision: crashes}
	listed := func(theirs, ours decision) []disagreement {
		return []disagreement{{m2m, "a token", clerkBackend, byKey[:1], theirs, ours, "for a test"}}
	}
	for _, j := range []judgement{
		{name: "both accept the same caller", want: accepts, ours: as(`{"id":"a","x":1}`), theirs: as(`{"id":"a"}`)},
		{name: "both refuse", ours: no, theirs: no},
		{name: "they accept, not listed", ours: no, theirs: as(`{"id":"a"}`), fails: "not listed"},
		{name: "they refuse, not listed", want: accepts, ours: as(`{"id":"a"}`), theirs: no, fails: "not listed"},
		{name: "they crash, not listed", ours: no, theirs: crash, fails: "not listed"},
		{name: "they see another caller, not listed", want: accepts, ours: as(`{"id":"a"}`), theirs: as(`{"id":"b"}`), fails: "not listed"},
		{name: "they see a caller without anything", want: accepts, ours: as(`{"id":"a"}`), theirs: as(`{}`), fails: "not listed"},
		{name: "they gave no verdict", ours: no, theirs: verdict{}, fails: "not listed"},
		{name: "listed", ours: no, theirs: as(`{"id":"a"}`), known: listed(accepts, refuses)},
		{name: "listed as another caller", want: accepts, ours: as(`{"id":"a"}`), theirs: as(`{"id":"b"}`), known: listed(otherCaller, accepts)},
		{name: "listed, but both refuse", ours: no, theirs: no, known: listed(accepts, refuses), fails: "but both"},
		{name: "listed otherwise", ours: no, theirs: crash, known: listed(accepts, refuses), fails: "listed: ours"},
		{name: "both wrongly accept", ours: as(`{"id":"a"}`), theirs: as(`{"id":"a"}`), fails: "was expected of us"},
		{
			name: "listed of a case that is not there", ours: no, theirs: no,
			known: []disagreement{{m2m, "another token", clerkBackend, byKey[:1], accepts, refuses, "for a test"}}, fails: "there are 0 such cases",
		},
		{
			name: "listed of a kind that is not there", ours: no, theirs: as(`{"id":"a"}`),
			known: []disagreement{{everyKind, "a token", clerkBackend, byKey[:1], accepts, refuses, "for a test"}}, fails: "there are 1 such cases, not 3",
		},
	} {
		t.Run(j.name, j.run)
	}
}

func TestCasesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen, bad := map[opinion]bool{}, 0
	for _, c := range jwtCases(time.Now(), aMachine) {
		o := opinion{accept: c.accept, name: c.name}
		if seen[o] {
			t.Errorf("%s, %s: twice", c.accept, c.name)
		}
		seen[o] = true
		if c.accept == authn.M2MToken && c.want(jwksMode) == refuses {
			bad++
		}
	}
	if bad < 20 {
		t.Errorf("M2M tokens are made bad in %d ways only", bad)
	}
}

func TestPrismCasesCoverTheSpec(t *testing.T) {
	t.Parallel()
	cases := prismCases()
	if err := covers(cases, generated.Operations()); err != nil {
		t.Error(err)
	}
	if covers(cases[1:], generated.Operations()) == nil {
		t.Error("an operation without a case is not missed")
	}
}

func TestPrismTransportTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	enum := in("enum", "body", "token_format")
	for name, c := range map[string]struct {
		transport       prismTransport
		callErr         error
		valid, reported bool
	}{
		"all is well":      {transport: prismTransport{sent: 1}, valid: true},
		"nothing sent":     {transport: prismTransport{}},
		"the call failed":  {transport: prismTransport{sent: 1}, callErr: errors.New("refused")},
		"broken":           {transport: prismTransport{sent: 1, violations: []violation{enum}}, reported: true},
		"broken elsewhere": {transport: prismTransport{sent: 1, violations: []violation{in("enum", "body")}}},
		"no reply":         {transport: prismTransport{sent: 1, violations: []violation{enum}, err: errors.New("reset")}},
	} {
		if got := c.transport.valid(c.callErr) == nil; got != c.valid {
			t.Errorf("%s: valid is %v", name, got)
		}
		if got := c.transport.reported(enum) == nil; got != c.reported {
			t.Errorf("%s: reported is %v", name, got)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{out: &out}
	if r.close() == nil {
		t.Error("a run without a check succeeds")
	}
	r.begin("part", "for a test")
	r.check("one", nil)
	if err := r.close(); err != nil {
		t.Error(err)
	}
	r.check("two", errors.New("no"))
	if r.close() == nil || !strings.HasSuffix(out.String(), "\n1 passed, 1 failed\n") {
		t.Errorf("a failed check does not fail the run; printed:\n%s", &out)
	}
}

func TestProcessThatEndsOrHangsIsReported(t *testing.T) {
	t.Parallel()
	never := func(string) string { return "" }
	if _, _, err := serve(t.Context(), exec.CommandContext(t.Context(), "sh", "-c", "echo oops; exit 3"), never); err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("a server that ends: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := serve(ctx, exec.CommandContext(t.Context(), "sh", "-c", "exec sleep 60"), never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs: %v", err)
	}
}
