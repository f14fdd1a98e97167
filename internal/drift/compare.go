package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
)

// compare gives the differences from our spec to the same operations of theirs, sorted, each as "id METHOD path:
// text". The whole changelog of oasdiff is asked for, not what it calls breaking: a renamed optional field of a
// response and a new enum value are mere information to it. Prose, tags and info.version are not compared.
func compare(ours, theirs *openapi3.T) ([]string, error) {
	ops := operations(ours)
	a, err := cutSpec(ours, ops)
	if err != nil {
		return nil, fmt.Errorf("our spec: %w", err)
	}
	b, err := cutSpec(theirs, ops)
	if err != nil {
		return nil, err
	}
	lines, err := align(a.Spec, b.Spec)
	if err != nil {
		return nil, err
	}
	lines = append(lines, servers(a.Spec, b.Spec)...)
	config := diff.NewConfig(diff.WithExcludeElements([]string{
		diff.ExcludeDescriptionOption, diff.ExcludeTitleOption, diff.ExcludeSummaryOption,
		diff.ExcludeExamplesOption, diff.ExcludeTagsOption,
	}))
	report, sources, err := diff.GetWithOperationsSourcesMap(config, a, b)
	if err != nil {
		return nil, fmt.Errorf("comparing: %w", err)
	}
	changes := checker.CheckBackwardCompatibilityUntilLevel(
		checker.NewConfig(checker.GetAllChecks()), report, sources, checker.INFO)
	localize := checker.NewDefaultLocalizer()
	for _, c := range changes {
		where := strings.TrimSpace(c.GetOperation() + " " + c.GetPath())
		lines = append(lines, line(c.GetId(), where, c.GetUncolorizedText(localize)))
	}
	slices.Sort(lines)
	return lines, nil
}

// line is one difference on one line, whatever the text holds.
func line(id, where, text string) string {
	if where != "" {
		where = " " + where
	}
	return id + where + ": " + strings.Join(strings.Fields(text), " ")
}

// cutSpec cuts ops out of a spec and gives what oasdiff compares.
func cutSpec(doc *openapi3.T, ops []operation) (*load.SpecInfo, error) {
	data, err := cut(doc, ops)
	if err != nil {
		return nil, err
	}
	// The loader would read this as YAML, which takes twice as long.
	var part openapi3.T
	if err := part.UnmarshalJSON(data); err != nil {
		return nil, err
	}
	if err := openapi3.NewLoader().ResolveRefsIn(&part, nil); err != nil {
		return nil, err
	}
	specs := []*load.SpecInfo{{Spec: &part}}
	for _, flatten := range []load.Option{load.WithFlattenAllOf(), load.WithFlattenParams()} {
		if specs, err = flatten(nil, specs); err != nil {
			return nil, err
		}
	}
	return specs[0], nil
}

// servers gives a line for each server that only one of the specs has, which oasdiff's changelog leaves out.
func servers(ours, theirs *openapi3.T) []string {
	var lines []string
	missing := func(id, format string, in, from openapi3.Servers) {
		for _, s := range in {
			if !slices.ContainsFunc(from, func(o *openapi3.Server) bool { return o.URL == s.URL }) {
				lines = append(lines, line(id, "", fmt.Sprintf(format, s.URL)))
			}
		}
	}
	missing("server-removed", "removed the server `%s`", ours.Servers, theirs.Servers)
	missing("server-added", "added the server `%s`", theirs.Servers, ours.Servers)
	return lines
}
