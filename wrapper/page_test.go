package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// pages answers a list of machines by the limit and offset that it is asked for. Each request takes the next total and
// most; the last ones stay.
func pages(totals []int, most ...int) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		total := totals[min(n, len(totals)-1)]
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		if len(most) > 0 {
			limit = min(limit, most[min(n, len(most)-1)])
		}
		n++
		var items []string
		for i := offset; i < min(offset+limit, total); i++ {
			items = append(items, fmt.Sprintf(`{"object":"machine","id":"mch_%d","instance_id":"ins_1"}`, i))
		}
		answer(200, fmt.Sprintf(`{"data":[%s],"total_count":%d}`, strings.Join(items, ","), total))(w, r)
	}
}

// pageCase walks a list, and says which items must come and which pages must be asked for, as limit and offset.
type pageCase struct {
	name   string
	params wrapper.ListMachinesParams
	answer http.HandlerFunc
	items  string
	pages  string
}

func (c pageCase) run(t *testing.T) {
	t.Parallel()
	f := newFake(c.answer)
	var items []string
	for m, err := range f.client(t).Machines.All(t.Context(), c.params) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, strings.TrimPrefix(m.ID, "mch_"))
	}
	if got := strings.Join(items, " "); got != c.items {
		t.Errorf("the items are %s, want %s", got, c.items)
	}
	if got := asked(t, f); got != c.pages {
		t.Errorf("the pages are %s, want %s", got, c.pages)
	}
}

// asked gives the queries that arrived.
func asked(t *testing.T, f *fake) string {
	t.Helper()
	var queries []string
	for _, r := range f.requests(t) {
		_, query, _ := strings.Cut(r.URI, "?")
		queries = append(queries, strings.NewReplacer("limit=", "", "&offset=", "+").Replace(query))
	}
	return strings.Join(queries, " ")
}

func TestAll(t *testing.T) {
	t.Parallel()
	two := wrapper.ListMachinesParams{Limit: new(int64(2))}
	for _, c := range []pageCase{
		{name: "one page", answer: pages([]int{3}), items: "0 1 2", pages: "100+0"},
		{name: "none", answer: pages([]int{0}), pages: "100+0"},
		{name: "full pages", params: two, answer: pages([]int{4}), items: "0 1 2 3", pages: "2+0 2+2"},
		{name: "a last page that is not full", params: two, answer: pages([]int{5}), items: "0 1 2 3 4", pages: "2+0 2+2 2+4"},
		{name: "from an offset", params: wrapper.ListMachinesParams{Limit: new(int64(2)), Offset: new(int64(3))}, answer: pages([]int{6}), items: "3 4 5", pages: "2+3 2+5"},
		{name: "an offset beyond the end", params: wrapper.ListMachinesParams{Offset: new(int64(9))}, answer: pages([]int{3}), pages: "100+9"},
		{name: "a short page before the end", params: two, answer: pages([]int{4}, 1, 2), items: "0 1 2 3", pages: "2+0 2+1 2+3"},
		{name: "a total that shrinks", params: two, answer: pages([]int{6, 3}), items: "0 1 2", pages: "2+0 2+2"},
		{name: "a total that grows", params: two, answer: pages([]int{3, 5}), items: "0 1 2 3 4", pages: "2+0 2+2 2+4"},
		{name: "an empty page before the end", params: two, answer: pages([]int{6}, 2, 0), items: "0 1", pages: "2+0 2+2"},
	} {
		t.Run(c.name, c.run)
	}
}

// An error comes once, with no item, after the items before it, and ends the walk.
func TestAllEndsWithAnError(t *testing.T) {
	t.Parallel()
	f := newFake(pages([]int{4}), answer(403, `{}`))
	var trace []string
	for m, err := range f.client(t).Machines.All(t.Context(), wrapper.ListMachinesParams{Limit: new(int64(2))}) {
		if err != nil {
			trace = append(trace, fmt.Sprint(m == nil, errors.Is(err, wrapper.ErrForbidden)))
			continue
		}
		trace = append(trace, m.ID)
	}
	if got := strings.Join(trace, ", "); got != "mch_0, mch_1, true true" || len(f.requests(t)) != 2 {
		t.Errorf("the walk was %s", got)
	}
}

// Whoever breaks off has no page fetched that he does not see, and may walk again from the start.
func TestAllBrokenOff(t *testing.T) {
	t.Parallel()
	f := newFake(pages([]int{6}))
	all := f.client(t).Machines.All(t.Context(), wrapper.ListMachinesParams{Limit: new(int64(2))})
	if n := len(f.requests(t)); n != 0 {
		t.Errorf("%d requests arrived before the walk", n)
	}
	for range 2 {
		for m := range all {
			if m.ID == "mch_1" {
				break
			}
		}
	}
	if got := asked(t, f); got != "2+0 2+0" {
		t.Errorf("the pages are %s", got)
	}
}

func TestAllKeepsItsContext(t *testing.T) {
	t.Parallel()
	f := newFake(pages([]int{6}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for m, err := range f.client(t).Machines.All(ctx, wrapper.ListMachinesParams{Limit: new(int64(2))}) {
		if last = err; err == nil && m.ID == "mch_1" {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || len(f.requests(t)) != 1 {
		t.Errorf("the error is %v and %d requests arrived", last, len(f.requests(t)))
	}
}

// Every list is walked with the parameters and the editors of the caller.
func TestAllOfEachList(t *testing.T) {
	t.Parallel()
	ctx, one := t.Context(), new(int64(1))
	f := newFake()
	c := f.client(t)
	for m, err := range c.Machines.All(ctx, wrapper.ListMachinesParams{Limit: one, Query: new("bill")}, wrapper.SecretKey("sk_test_call")) {
		if err != nil || m.ID != "x_id" {
			t.Errorf("%+v, %v", m, err)
		}
	}
	for token, err := range c.M2MTokens.All(ctx, wrapper.ListM2MTokensParams{Limit: one, Subject: anID, Revoked: new(true)}, wrapper.SecretKey("sk_test_call")) {
		if err != nil || token.ID != "x_id" {
			t.Errorf("%+v, %v", token, err)
		}
	}
	for key, err := range c.APIKeys.All(ctx, wrapper.ListAPIKeysParams{Limit: one, Subject: anID, Query: new("dep")}, wrapper.SecretKey("sk_test_call")) {
		if err != nil || key.ID != "x_id" {
			t.Errorf("%+v, %v", key, err)
		}
	}
	for token, err := range c.M2MTokens.All(ctx, wrapper.ListM2MTokensParams{Subject: "../x"}) {
		if _, is := errors.AsType[*wrapper.IDError](err); !is || token != nil {
			t.Errorf("%+v, %v", token, err)
		}
	}
	got := f.requests(t)
	want := []string{
		generated.OpListMachines.Path + "?limit=1&offset=0&query=bill",
		generated.OpGetM2MTokens.Path + "?subject=" + anID + "&revoked=true&limit=1&offset=0",
		generated.OpGetAPIKeys.Path + "?subject=" + anID + "&limit=1&offset=0&query=dep",
	}
	if len(got) != len(want) {
		t.Fatalf("%d requests arrived", len(got))
	}
	for i, r := range got {
		if r.URI != basePath+want[i] || r.Header.Get("Authorization") != "Bearer sk_test_call" {
			t.Errorf("%s arrived with %s, want %s", r.URI, r.Header.Get("Authorization"), want[i])
		}
	}
}
