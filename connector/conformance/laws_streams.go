package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// reads returns the inbound side of the shared session.
func (x *exam) reads() (connector.Inbound, error) {
	m, err := x.manifest()
	if err != nil {
		return nil, err
	}
	if !m.Inbound {
		return nil, skip("the connector does not read")
	}
	s, err := x.bound()
	if err != nil {
		return nil, err
	}
	in, ok := s.(connector.Inbound)
	if !ok {
		return nil, see("L-012", breach(""))
	}
	return in, nil
}

func (x *exam) streamsOf(names []string) ([]connector.Stream, error) {
	in, err := x.reads()
	if err != nil {
		return nil, err
	}
	query := connector.StreamQuery{Names: names}
	if x.subject.Inbound != nil {
		query.Answers = x.subject.Inbound.Answers
	}
	return ask(x, "Streams", x.options.Patience, func(ctx context.Context) ([]connector.Stream, error) { return in.Streams(ctx, query) })
}

func listsStreams(x *exam) error {
	all, err := x.listed.get(func() ([]connector.Stream, error) { return x.streamsOf(nil) })
	if err != nil {
		return x.trouble("Streams", err)
	}
	if len(all) == 0 {
		return breach("no stream is listed")
	}
	if x.subject.Inbound != nil {
		for _, s := range x.subject.Inbound.Streams {
			if find(all, s.Name) == nil {
				return breach("the stream %s is not listed", s.Name)
			}
		}
	}
	return unique("streams", all, func(s connector.Stream) string { return s.Name })
}

// described are the subject's streams.
func (x *exam) described() ([]connector.Stream, error) {
	if x.subject.Inbound == nil || len(x.subject.Inbound.Streams) == 0 {
		return nil, skip("no inbound sync was given")
	}
	streams, err := x.streams.get(func() ([]connector.Stream, error) { return x.streamsOf(x.names()) })
	return streams, see("L-702", err)
}

func (x *exam) names() []string {
	var names []string
	for _, s := range x.subject.Inbound.Streams {
		names = append(names, s.Name)
	}
	return names
}

func describesStreams(x *exam) error {
	streams, err := x.described()
	if err != nil {
		if x.streams.known {
			return x.trouble("Streams, asked for names,", x.streams.err)
		}
		return err
	}
	var names []string
	for _, s := range streams {
		names = append(names, s.Name)
		if s.Schema == "" {
			return breach("the stream %s has no schema", s.Name)
		}
	}
	if !slices.Equal(names, x.names()) {
		return breach("asked for %s, Streams describes %s", strings.Join(x.names(), ", "), strings.Join(names, ", "))
	}
	return nil
}

func eachStream(check func(connector.Stream) error) func(*exam) error {
	return func(x *exam) error {
		streams, err := x.described()
		if err != nil {
			return err
		}
		for _, s := range streams {
			if err := check(s); err != nil {
				if isSkip(err) {
					return err
				}
				return breach("the stream %s: %v", s.Name, err)
			}
		}
		return nil
	}
}

func goodModes(s connector.Stream) error {
	for _, m := range s.Modes {
		if m != connector.ReadFullRefresh && m != connector.ReadIncremental {
			return breach("its mode is %q", m)
		}
	}
	if len(s.Modes) == 0 {
		return breach("it has no mode")
	}
	return nil
}

// properties are the names of a stream's properties.
func properties(s connector.Stream) (map[string]bool, error) {
	if s.Schema == "" {
		return nil, skip("the stream %s has no schema; see L-702", s.Name)
	}
	var schema struct {
		Type       any                        `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal([]byte(s.Schema), &schema); err != nil {
		return nil, breach("its schema is not JSON: %v", err)
	}
	if schema.Type != "object" || len(schema.Properties) == 0 {
		return nil, breach("its schema is of type %v and has %d properties", schema.Type, len(schema.Properties))
	}
	names := make(map[string]bool, len(schema.Properties))
	for name, text := range schema.Properties {
		var object map[string]any
		if err := json.Unmarshal(text, &object); err != nil {
			return nil, breach("the property %s is no schema", name)
		}
		names[name] = true
	}
	return names, nil
}

func goodKeys(s connector.Stream) error {
	names, err := properties(s)
	if err != nil {
		return see("L-704", err)
	}
	for _, k := range s.Key {
		if !names[k] {
			return breach("the key %q is no property", k)
		}
	}
	if s.Cursor != "" && !names[s.Cursor] {
		return breach("the cursor %q is no property", s.Cursor)
	}
	if s.Cursor == "" && slices.Contains(s.Modes, connector.ReadIncremental) {
		return breach("it is read incrementally and has no cursor")
	}
	return nil
}

func unknownStream(x *exam) error {
	_, err := x.streamsOf([]string{noSuch})
	if isSkip(err) {
		return err
	}
	return wants(x, connector.ClassConfig, "an unknown stream", err)
}
