package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/sluiceio/sluice/runner"
)

// Write writes connections and syncs as a project file. Secrets are left out: a
// secret the file does not refer to stays what it is when the file is applied.
func Write(connections []runner.Connection, syncs []runner.Sync) ([]byte, error) {
	file := File{Version: Version, Connections: map[string]Connection{}, Syncs: map[string]Sync{}}
	for _, c := range connections {
		file.Connections[c.Name] = WrittenConnection(c)
	}
	for _, s := range syncs {
		file.Syncs[s.Name] = WrittenSync(s)
	}
	return yaml.MarshalWithOptions(file, yaml.Indent(2), yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true))
}

// WrittenConnection returns a connection as it stands in a file.
func WrittenConnection(c runner.Connection) Connection {
	return Connection{Connector: c.Connector, Method: c.Method, Answers: writtenAnswers(c.Answers), Limits: writtenLimits(c.Overrides)}
}

func writtenLimits(overrides []runner.LimitOverride) []Limit {
	var written []Limit
	for _, o := range overrides {
		l := Limit{Category: o.Category, Pool: o.Pool, Concurrency: o.MaxConcurrency, Capacity: o.Capacity}
		for _, rate := range o.Rates {
			l.Rates = append(l.Rates, FormatRate(rate))
		}
		written = append(written, l)
	}
	return written
}

// LimitText says an override in one line.
func LimitText(l Limit) string {
	parts := slices.Clone(l.Rates)
	if l.Capacity != nil {
		parts = append(parts, fmt.Sprintf("capacity %d", *l.Capacity))
	}
	if l.Concurrency != nil {
		parts = append(parts, fmt.Sprintf("%d at once", *l.Concurrency))
	}
	return l.Category + l.Pool + ": " + strings.Join(parts, ", ")
}

// WrittenSync returns a sync as it stands in a file.
func WrittenSync(s runner.Sync) Sync {
	written := Sync{Connection: s.Connection, Deadline: durationText(s.Deadline), Limits: writtenLimits(s.Overrides)}
	if o := s.Outbound; o != nil {
		written.Outbound = &Outbound{
			Source:     Source{Table: o.Source.Table, Query: o.Source.Query, File: o.Source.File},
			Identifier: o.Identifier, Strategy: o.Strategy, Answers: writtenAnswers(o.Answers),
		}
		written.Outbound.Template = o.Template
		for _, m := range o.Mappings {
			written.Outbound.Mappings = append(written.Outbound.Mappings, Mapping{Field: m.Field, Column: m.Column, SQL: m.Expression})
		}
		if o.Retry != (runner.RetryPolicy{}) {
			written.Outbound.Retry = &Retry{MaxAttempts: o.Retry.MaxAttempts, Backoff: durationText(o.Retry.Backoff)}
		}
	}
	if in := s.Inbound; in != nil {
		written.Inbound = &Inbound{Answers: writtenAnswers(in.Answers)}
		for _, t := range in.Streams {
			written.Inbound.Streams = append(written.Inbound.Streams, Stream{
				Name: t.Name, Table: t.Table, Mode: string(t.Mode), Storage: string(t.Storage), Fields: t.Fields,
			})
		}
	}
	return written
}

// Change is one difference: a path, and what was and is there. Was is empty for
// something new, Is for something gone.
type Change struct {
	Path string `json:"path"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
}

// String writes a change on one line: "+ path: is", "- path: was", or
// "~ path: was -> is".
func (c Change) String() string {
	switch {
	case c.Was == "":
		return fmt.Sprintf("+ %s: %s", c.Path, c.Is)
	case c.Is == "":
		return fmt.Sprintf("- %s: %s", c.Path, c.Was)
	default:
		return fmt.Sprintf("~ %s: %s -> %s", c.Path, c.Was, c.Is)
	}
}

// Diff compares two written things, connections or syncs, and returns what
// differs, by path.
func Diff(was, is any) ([]Change, error) {
	before, err := flatten(was)
	if err != nil {
		return nil, err
	}
	after, err := flatten(is)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	var changes []Change
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if before[path] != after[path] {
			changes = append(changes, Change{Path: path, Was: before[path], Is: after[path]})
		}
	}
	return changes, nil
}

// flatten returns the leaves of a written thing by path. Nil has none.
func flatten(written any) (map[string]string, error) {
	leaves := map[string]string{}
	if written == nil || reflect.ValueOf(written).IsZero() {
		return leaves, nil
	}
	text, err := yaml.Marshal(written)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	walk(tree, nil, leaves)
	return leaves, nil
}

func walk(node any, path []string, leaves map[string]string) {
	switch n := node.(type) {
	case map[string]any:
		for key, child := range n {
			walk(child, append(slices.Clone(path), key), leaves)
		}
	case []any:
		for i, child := range n {
			walk(child, append(slices.Clone(path), elementName(child, i)), leaves)
		}
	default:
		leaves[strings.Join(path, ".")] = fmt.Sprintf("%q", fmt.Sprint(n))
	}
}

// elementName names an element of a list by what identifies it, so that moving
// an element is no change of all that follow.
func elementName(element any, index int) string {
	if fields, ok := element.(map[string]any); ok {
		for _, key := range []string{"field", "name", "category", "pool"} {
			if name, ok := fields[key].(string); ok {
				return name
			}
		}
	}
	return fmt.Sprint(index + 1)
}
