package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/sluiceio/sluice/connector"
)

// Version is the version of the file's layout.
const Version = 1

// File is the project file as written.
type File struct {
	// Version is [Version]; it may be left out.
	Version     int                   `yaml:"version" json:"version"`
	Connections map[string]Connection `yaml:"connections,omitempty" json:"connections,omitempty"`
	Syncs       map[string]Sync       `yaml:"syncs,omitempty" json:"syncs,omitempty"`
}

// Connection is a connection as written.
type Connection struct {
	// Connector is the ID of an installed connector. Required.
	Connector string `yaml:"connector" json:"connector"`
	// Method is a connection method; empty means the connector's first one.
	Method  string  `yaml:"method,omitempty" json:"method,omitempty"`
	Answers Answers `yaml:"answers,omitempty" json:"answers,omitempty"`
	// Secrets maps fields to references: env:VARIABLE or file:PATH.
	Secrets map[string]string `yaml:"secrets,omitempty" json:"secrets,omitempty"`
	Limits  []Limit           `yaml:"limits,omitempty" json:"limits,omitempty"`
}

// Limit overrides a limit or a pool; exactly one of Category and Pool is set.
type Limit struct {
	Category string `yaml:"category,omitempty" json:"category,omitempty"`
	Pool     string `yaml:"pool,omitempty" json:"pool,omitempty"`
	// Rates are as [ParseRate] reads them.
	Rates []string `yaml:"rates,omitempty" json:"rates,omitempty"`
	// Concurrency bounds requests at once; 0 lifts the bound.
	Concurrency *int `yaml:"concurrency,omitempty" json:"concurrency,omitempty"`
	// Capacity is what the pool holds in its window.
	Capacity *int64 `yaml:"capacity,omitempty" json:"capacity,omitempty"`
}

// Sync is a sync as written; exactly one of Outbound and Inbound is set.
type Sync struct {
	Connection string    `yaml:"connection" json:"connection"`
	Outbound   *Outbound `yaml:"outbound,omitempty" json:"outbound,omitempty"`
	Inbound    *Inbound  `yaml:"inbound,omitempty" json:"inbound,omitempty"`
	// Deadline is how long a run may take, a duration such as 2h; empty for as
	// long as it needs.
	Deadline string `yaml:"deadline,omitempty" json:"deadline,omitempty"`
	// Limits are the sync's own, within those of the connection.
	Limits []Limit `yaml:"limits,omitempty" json:"limits,omitempty"`
}

// Outbound is the outbound half of a sync.
type Outbound struct {
	Source     Source  `yaml:"source" json:"source"`
	Identifier string  `yaml:"identifier" json:"identifier"`
	Strategy   string  `yaml:"strategy" json:"strategy"`
	Answers    Answers `yaml:"answers,omitempty" json:"answers,omitempty"`
	// Mappings fill app fields; Template is the Liquid template of the text, for
	// connectors that take one. One of them is set.
	Mappings []Mapping `yaml:"mappings,omitempty" json:"mappings,omitempty"`
	Template string    `yaml:"template,omitempty" json:"template,omitempty"`
	Retry    *Retry    `yaml:"retry,omitempty" json:"retry,omitempty"`
}

// Source is where rows come from; exactly one field is set. A file's path is
// relative to the project file's folder.
type Source struct {
	Table string `yaml:"table,omitempty" json:"table,omitempty"`
	Query string `yaml:"query,omitempty" json:"query,omitempty"`
	File  string `yaml:"file,omitempty" json:"file,omitempty"`
}

// Mapping fills one app field; exactly one of Column and SQL is set.
type Mapping struct {
	Field  string `yaml:"field" json:"field"`
	Column string `yaml:"column,omitempty" json:"column,omitempty"`
	SQL    string `yaml:"sql,omitempty" json:"sql,omitempty"`
}

// Retry bounds attempts across runs.
type Retry struct {
	MaxAttempts int `yaml:"max_attempts,omitempty" json:"max_attempts,omitempty"`
	// Backoff is a duration such as 10m.
	Backoff string `yaml:"backoff,omitempty" json:"backoff,omitempty"`
}

// Inbound is the inbound half of a sync.
type Inbound struct {
	Answers Answers  `yaml:"answers,omitempty" json:"answers,omitempty"`
	Streams []Stream `yaml:"streams" json:"streams"`
}

// Stream says how one stream is read and kept.
type Stream struct {
	Name    string   `yaml:"name" json:"name"`
	Table   string   `yaml:"table,omitempty" json:"table,omitempty"`
	Mode    string   `yaml:"mode,omitempty" json:"mode,omitempty"`
	Storage string   `yaml:"storage,omitempty" json:"storage,omitempty"`
	Fields  []string `yaml:"fields,omitempty" json:"fields,omitempty"`
}

// Answers are answers to a form: one value each, or a list of values.
type Answers map[string]Values

// Values are one answer's values. One value is written as a scalar. Numbers and
// booleans are taken as they are spelled.
type Values []string

// UnmarshalYAML reads a scalar or a list of scalars.
func (v *Values) UnmarshalYAML(node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		one, err := scalar(node)
		*v = Values{one}
		return err
	}
	*v = make(Values, len(list.Values))
	for i, element := range list.Values {
		var err error
		if (*v)[i], err = scalar(element); err != nil {
			return err
		}
	}
	return nil
}

// scalar returns a scalar as it is spelled, so that 007 and 1e3 stay what they are.
func scalar(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.NullNode:
		return "", nil
	case ast.ScalarNode:
		return n.GetToken().Value, nil
	}
	at := node.GetToken().Position
	return "", fmt.Errorf("line %d, column %d: an answer is one value or a list of values", at.Line, at.Column)
}

// MarshalYAML writes one value as a scalar, others as a list.
func (v Values) MarshalYAML() (any, error) {
	if len(v) == 1 {
		return v[0], nil
	}
	return []string(v), nil
}

func answersOf(written Answers) connector.Answers {
	if len(written) == 0 {
		return nil
	}
	answers := make(connector.Answers, len(written))
	for field, values := range written {
		answers[field] = slices.Clone([]string(values))
	}
	return answers
}

func writtenAnswers(answers connector.Answers) Answers {
	if len(answers) == 0 {
		return nil
	}
	written := make(Answers, len(answers))
	for field, values := range answers {
		written[field] = slices.Clone(Values(values))
	}
	return written
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
