package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/runner/internal/config"
)

// verifyFile is what a connector is examined with.
type verifyFile struct {
	Connection verifyConnection  `yaml:"connection"`
	Refused    *verifyConnection `yaml:"refused"`
	Outbound   *verifyOutbound   `yaml:"outbound"`
	Inbound    *verifyInbound    `yaml:"inbound"`
}

// verifyConnection is a connection, or what differs from one.
type verifyConnection struct {
	Method  string            `yaml:"method"`
	Answers config.Answers    `yaml:"answers"`
	Secrets map[string]string `yaml:"secrets"`
}

type verifyOutbound struct {
	Strategy  string         `yaml:"strategy"`
	Action    string         `yaml:"action"`
	Answers   config.Answers `yaml:"answers"`
	Mapping   []verifyField  `yaml:"mapping"`
	Records   []verifyRecord `yaml:"records"`
	ReadAhead int            `yaml:"read_ahead"`
}

type verifyField struct {
	Field     string `yaml:"field"`
	Type      string `yaml:"type"`
	Precision int    `yaml:"precision"`
	Scale     int    `yaml:"scale"`
}

type verifyRecord struct {
	ID     string                `yaml:"id"`
	AppID  string                `yaml:"app_id"`
	Values map[string]verifyCell `yaml:"values"`
	Bad    bool                  `yaml:"bad"`
}

type verifyInbound struct {
	Answers config.Answers `yaml:"answers"`
	Streams []verifyStream `yaml:"streams"`
}

type verifyStream struct {
	Name string `yaml:"name"`
	Mode string `yaml:"mode"`
}

// verifyCell is a scalar as it is spelled, or null.
type verifyCell struct{ text *string }

// UnmarshalYAML reads a scalar.
func (c *verifyCell) UnmarshalYAML(node ast.Node) error {
	if _, null := node.(*ast.NullNode); null {
		return nil
	}
	var v config.Values
	if err := v.UnmarshalYAML(node); err != nil || len(v) != 1 {
		return fmt.Errorf("a value of a record is one scalar: %v", err)
	}
	c.text = &v[0]
	return nil
}

func parseVerifyFile(text []byte) (*verifyFile, error) {
	var file verifyFile
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, err
	}
	return &file, nil
}

// subject is the file in the words of package conformance.
func (f *verifyFile) subject(secrets secretReader) (s conformance.Subject, err error) {
	if s.Connection, err = f.Connection.over(connector.Connection{ID: "verify"}, secrets); err != nil {
		return s, err
	}
	if f.Refused != nil {
		refused, err := f.Refused.over(s.Connection, secrets)
		if err != nil {
			return s, err
		}
		s.Refused = &refused
	}
	if f.Outbound != nil {
		if s.Outbound, err = f.Outbound.subject(); err != nil {
			return s, err
		}
	}
	if f.Inbound != nil {
		s.Inbound = &conformance.Inbound{Answers: answersOf(f.Inbound.Answers)}
		for _, one := range f.Inbound.Streams {
			s.Inbound.Streams = append(s.Inbound.Streams, connector.StreamSelection{Name: one.Name, Mode: connector.ReadMode(one.Mode)})
		}
	}
	return s, nil
}

// over lays the answers of a file over a connection.
func (v verifyConnection) over(base connector.Connection, secrets secretReader) (connector.Connection, error) {
	c := base
	c.Answers, c.Secrets = maps.Clone(base.Answers), maps.Clone(base.Secrets)
	if c.Answers == nil {
		c.Answers, c.Secrets = connector.Answers{}, connector.Answers{}
	}
	if v.Method != "" {
		c.Method = v.Method
	}
	maps.Copy(c.Answers, answersOf(v.Answers))
	for _, field := range slices.Sorted(maps.Keys(v.Secrets)) {
		value, err := secrets.read(v.Secrets[field])
		if err != nil {
			return c, fmt.Errorf("the secret %s: %w", field, err)
		}
		c.Secrets[field] = []string{value}
	}
	return c, nil
}

func answersOf(a config.Answers) connector.Answers {
	answers := connector.Answers{}
	for field, values := range a {
		answers[field] = values
	}
	return answers
}

// read resolves env:VARIABLE or file:PATH, seen from the file.
func (s secretReader) read(reference string) (string, error) {
	kind, where, _ := strings.Cut(reference, ":")
	switch kind {
	case "env":
		value, ok := s.lookup(where)
		if !ok || value == "" {
			return "", fmt.Errorf("the environment variable %s is not set", where)
		}
		return value, nil
	case "file":
		if !filepath.IsAbs(where) {
			where = filepath.Join(filepath.Dir(s.path), where)
		}
		value, err := os.ReadFile(where)
		return strings.TrimRight(string(value), "\r\n"), err
	}
	return "", errReference
}

// kinds are the types a mapped field may have.
var kinds = []connector.Kind{
	connector.KindString, connector.KindInt64, connector.KindDecimal, connector.KindFloat64, connector.KindBool, connector.KindDate,
	connector.KindTime, connector.KindTimestamp, connector.KindTimestampTZ, connector.KindJSON, connector.KindBytes,
}

func (o *verifyOutbound) subject() (*conformance.Outbound, error) {
	s := &conformance.Outbound{
		Strategy: o.Strategy, Action: connector.Action(o.Action), Answers: answersOf(o.Answers), ReadAhead: o.ReadAhead,
	}
	for _, m := range o.Mapping {
		kind := connector.Kind(m.Type)
		if kind == "" {
			kind = connector.KindString
		}
		if !slices.Contains(kinds, kind) {
			return nil, fmt.Errorf("the type of %s is %q, which is none", m.Field, m.Type)
		}
		s.Mapping = append(s.Mapping, connector.MappedField{Name: m.Field, Type: connector.Type{Kind: kind, Precision: m.Precision, Scale: m.Scale}})
	}
	if len(s.Mapping) == 0 {
		return nil, fmt.Errorf("outbound needs a mapping")
	}
	for i, r := range o.Records {
		record, err := r.subject(i, s.Mapping)
		if err != nil {
			return nil, err
		}
		s.Records = append(s.Records, record)
	}
	return s, nil
}

func (r verifyRecord) subject(i int, mapping []connector.MappedField) (conformance.Record, error) {
	s := conformance.Record{Identifier: r.ID, AppIdentifier: r.AppID, Bad: r.Bad}
	if s.Identifier == "" {
		s.Identifier = fmt.Sprint(i + 1)
	}
	for name := range r.Values {
		if !slices.ContainsFunc(mapping, func(m connector.MappedField) bool { return m.Name == name }) {
			return s, fmt.Errorf("the record %s has a value for %s, which is not mapped", s.Identifier, name)
		}
	}
	for _, m := range mapping {
		s.Values = append(s.Values, r.Values[m.Name].text)
	}
	return s, nil
}
