package wrapper_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// hostileIDs ask for something else than one object, when they are put into a path or a query.
var hostileIDs = []string{
	"", ".", "..", "/", "a/b", "../machines", "mch_1/..", "x?y", "x#y", "x&y=z", "%2e%2e", "%2F", `a\b`, "a;b", "a:b", "a b", " ", "a\n", "\x00", "\x7f",
	"mch_ü", "\xff", "*", "{machine_id}", strings.Repeat("a", 129), strings.Repeat("a", 1<<20),
}

// takesID tells whether an operation is asked for with an id.
func takesID(op generated.Operation) bool {
	return strings.Contains(op.Path, "{") || op.ID == generated.OpGetM2MTokens.ID || op.ID == generated.OpGetAPIKeys.ID
}

func TestHostileIDsAreNotSent(t *testing.T) {
	t.Parallel()
	f := newFake()
	client := f.client(t)
	tried := 0
	for _, op := range generated.Operations() {
		if !takesID(op) {
			continue
		}
		tried++
		for _, id := range hostileIDs {
			e, is := errors.AsType[*wrapper.IDError](perform(t, op, client, id))
			if !is || e.Operation != op.ID || e.Param == "" || e.Reason == "" {
				t.Errorf("%s with %.40q: the error is %+v", op.ID, id, e)
			} else if text := fmt.Sprintf("%v %+v %#v", e, e, e); len(id) > 4 && strings.Contains(strings.ReplaceAll(text, e.Param, ""), id) {
				t.Errorf("%s: the error repeats the id: %.200s", op.ID, text)
			}
			if strings.Contains(op.Path, "{") {
				if _, err := performRaw(t, op, client, id); err == nil {
					t.Errorf("%s with %.40q by API(): no error", op.ID, id)
				}
			}
		}
	}
	if tried < 12 {
		t.Errorf("%d operations take an id", tried)
	}
	if got := f.requests(t); len(got) != 0 {
		t.Errorf("%d requests arrived, the first is %s %.100s", len(got), got[0].Method, got[0].URI)
	}
}

// Each of two ids is checked: ".." for the second would delete the machine that is the first.
func TestSecondIDIsChecked(t *testing.T) {
	t.Parallel()
	f := newFake()
	c := f.client(t)
	for _, id := range hostileIDs {
		_, add := c.Machines.AddScope(t.Context(), anID, id)
		_, remove := c.Machines.RemoveScope(t.Context(), anID, id)
		for _, err := range []error{add, remove} {
			if e, is := errors.AsType[*wrapper.IDError](err); !is || !strings.Contains(e.Param, "_machine_id") {
				t.Errorf("%.40q: the error is %v", id, err)
			}
		}
		if _, err := c.API().DeleteMachineScope(t.Context(), anID, id); err == nil {
			t.Errorf("%.40q by API(): no error", id)
		}
	}
	if got := f.requests(t); len(got) != 0 {
		t.Errorf("%d requests arrived, the first is %s %.100s", len(got), got[0].Method, got[0].URI)
	}
}

// Ids are checked by their shape, so that one of a kind that is yet unknown is sent.
func TestUnknownKindsOfIDsAreSent(t *testing.T) {
	t.Parallel()
	f := newFake()
	client := f.client(t)
	for _, id := range []string{"x", "mch2_abc-DEF_0", strings.Repeat("a", 128)} {
		if _, err := client.Machines.Get(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		got := f.requests(t)
		if last := got[len(got)-1]; last.URI != basePath+"/machines/"+id {
			t.Errorf("%s arrived as %s", id, last.URI)
		}
	}
}
