package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

var inboundLaws = []Law{
	{"L-701", AreaInbound, "Asked without names, Streams lists all streams, with unique names.", listsStreams},
	{"L-702", AreaInbound, "Asked for names, Streams describes exactly those, in that order, each with a schema.", describesStreams},
	{"L-703", AreaInbound, "A stream has at least one read mode, and none that the contract does not have.", eachStream(goodModes)},
	{"L-704", AreaInbound, "A stream's schema is a JSON Schema of an object with properties.", eachStream(func(s connector.Stream) error {
		_, err := properties(s)
		return err
	})},
	{"L-705", AreaInbound, "Key and cursor are properties of the schema; a stream that is read incrementally has a cursor.", eachStream(goodKeys)},
	{"L-706", AreaInbound, "An unknown stream is a CONFIG error.", unknownStream},
	{"L-707", AreaInbound, "A run ends well when every stream could be read.", inboundLaw(readFirst, func(x *exam, t *inboundTalk) error {
		if t.err != nil {
			return x.trouble(t.script.name, t.err)
		}
		return nil
	})},
	{"L-708", AreaInbound, "Each selected stream ends exactly once, without error.", inboundLaw(readFirst, endsOnce)},
	{"L-709", AreaInbound, "Nothing of a stream follows its end.", inboundStream(readFirst, func(s *heardStream) error {
		if s.after > 0 {
			return breach("%d messages followed its end", s.after)
		}
		return nil
	})},
	{"L-710", AreaInbound, "No stream is sent that was not selected.", inboundLaw(readFirst, func(_ *exam, t *inboundTalk) error {
		if len(t.strange) > 0 {
			return breach("the stream %q was not selected", t.strange[0])
		}
		return nil
	})},
	{"L-711", AreaInbound, "A batch has a schema, a text for each row of each column, and nulls in ascending order.", inboundLaw(readFirst, func(_ *exam, t *inboundTalk) error {
		return firstOf(t.misshape)
	})},
	{"L-712", AreaInbound, "A schema does not change: other columns are another schema with another id.", inboundLaw(readFirst, func(_ *exam, t *inboundTalk) error {
		if len(t.changed) > 0 {
			return breach("the columns of the schema %q changed", t.changed[0])
		}
		return nil
	})},
	{"L-713", AreaInbound, "The columns of a stream are properties of its schema.", columnsDescribed},
	{"L-714", AreaInbound, "Values are written in the canonical text of their kind.", inboundLaw(readFirst, func(_ *exam, t *inboundTalk) error {
		return firstOf(t.malformed)
	})},
	{"L-715", AreaInbound, "Each row of a stream with a key has its app identifier.", keyed},
	{"L-716", AreaInbound, "When columns were selected, no others are sent but those of the key and the cursor.", onlyFields},
	{"L-717", AreaInbound, "A state is JSON of at most 1 MiB.", inboundStream(readFirst, goodStates)},
	{"L-718", AreaInbound, "A run goes on from the final state of the one before.", inboundLaw(readAgain, goesOn)},
	{"L-719", AreaInbound, "A run goes on from the state of a checkpoint.", inboundLaw(readMidway, goesOn)},
	{"L-720", AreaInbound, "An incremental read brings nothing from the run's start on.", bounded},
	{"L-721", AreaInbound, "Tombstones are sent only where the manifest and the stream announce them.", announcedTombstones},
	{"L-722", AreaInbound, "After a stop that drains, the run ends well before the deadline of the stop.", inboundLaw(readDrain, (*exam).readStopped)},
	{"L-723", AreaInbound, "After a stop now, the run ends well before the deadline of the stop.", inboundLaw(readNow, (*exam).readStopped)},
	{"L-724", AreaInbound, "After a stop every selected stream has its end.", stoppedStreams},
	{"L-725", AreaInbound, "A run that is cancelled ends promptly, with an error of class CANCELLED.", inboundLaw(readCancel, func(x *exam, t *inboundTalk) error {
		if t.cancelled.IsZero() {
			return skip("the run ended before it could be cancelled%s", t.excuse())
		}
		return x.cancelledPromptly(&t.hearing, t.err)
	})},
	{"L-726", AreaInbound, "When the host cannot take rows, the stream does not end well.", inboundLaw(readFails, rowsLost)},
}

func firstOf(evidence []string) error {
	if len(evidence) > 0 {
		return breach("%s", evidence[0])
	}
	return nil
}

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

func inboundLaw(talk string, check func(*exam, *inboundTalk) error) func(*exam) error {
	return func(x *exam) error {
		t, err := x.inbound(talk)
		if err != nil {
			return err
		}
		if errorIsPanic(t.err) || panickedIn(t) {
			return x.trouble(talk, &panicError{talk})
		}
		return check(x, t)
	}
}

// panickedIn reports whether a stream ended with a panic that was caught.
func panickedIn(t *inboundTalk) bool {
	for _, s := range t.streams {
		for _, d := range s.done {
			if d.Error != nil && d.Error.Code == "PANIC" {
				return true
			}
		}
	}
	return false
}

// inboundStream judges each stream of a conversation.
func inboundStream(talk string, check func(*heardStream) error) func(*exam) error {
	return inboundLaw(talk, func(_ *exam, t *inboundTalk) error {
		for _, selection := range t.script.about.Streams {
			if err := check(t.streams[selection.Name]); err != nil {
				return breach("the stream %s: %v", selection.Name, err)
			}
		}
		return nil
	})
}

func endsOnce(_ *exam, t *inboundTalk) error {
	if t.err != nil {
		return see("L-707", t.err)
	}
	for name, s := range t.streams {
		if len(s.done) != 1 {
			return breach("the stream %s ended %d times", name, len(s.done))
		}
		if s.done[0].Error != nil {
			return breach("the stream %s ended with an error: %v", name, s.done[0].Error)
		}
	}
	return nil
}

func columnsDescribed(x *exam) error {
	streams, err := x.described()
	if err != nil {
		return err
	}
	return inboundLaw(readFirst, func(_ *exam, t *inboundTalk) error {
		for _, s := range streams {
			names, err := properties(s)
			if err != nil {
				return see("L-704", err)
			}
			for _, c := range t.streams[s.Name].columns {
				if !names[c.Name] {
					return breach("the stream %s has the column %s, which its schema does not describe", s.Name, c.Name)
				}
			}
		}
		return nil
	})(x)
}

func keyed(x *exam) error {
	streams, err := x.described()
	if err != nil {
		return err
	}
	return inboundLaw(readFirst, func(_ *exam, t *inboundTalk) error {
		for _, s := range streams {
			if h := t.streams[s.Name]; len(s.Key) > 0 && h.ids < h.rows {
				return breach("the stream %s has a key, but %d of %d rows have no app identifier", s.Name, h.rows-h.ids, h.rows)
			}
		}
		return nil
	})(x)
}

func onlyFields(x *exam) error {
	streams, err := x.described()
	if err != nil {
		return err
	}
	first := inboundLaw(readFields, func(x *exam, t *inboundTalk) error { return x.asSelected(t, streams) })(x)
	if first != nil && !isSkip(first) {
		return first
	}
	second := inboundLaw(readKey, func(x *exam, t *inboundTalk) error { return x.asSelected(t, streams) })(x)
	if isSkip(second) {
		return first
	}
	return second
}

// asSelected looks for columns that were not selected.
func (x *exam) asSelected(t *inboundTalk, streams []connector.Stream) error {
	if t.err != nil {
		return x.trouble(t.script.name, t.err)
	}
	for _, selection := range t.script.about.Streams {
		s := find(streams, selection.Name)
		if err := goodKeys(*s); err != nil {
			return see("L-705", err)
		}
		allowed := slices.Concat(selection.Fields, s.Key, []string{s.Cursor})
		for _, c := range t.streams[selection.Name].columns {
			if !slices.Contains(allowed, c.Name) {
				return breach("the column %s of the stream %s was selected, and %s was sent", selection.Fields[0], s.Name, c.Name)
			}
		}
	}
	return nil
}

func goodStates(s *heardStream) error {
	for _, state := range s.states {
		if !goodState(state) {
			return breach("the state of a checkpoint is not JSON, or has %d bytes", len(state))
		}
	}
	for _, d := range s.done {
		if d.Error == nil && d.State != "" && !goodState(d.State) {
			return breach("the final state is not JSON, or has %d bytes", len(d.State))
		}
	}
	return nil
}

func goesOn(x *exam, t *inboundTalk) error {
	if t.err != nil {
		return x.trouble(t.script.name, t.err)
	}
	for name, s := range t.streams {
		if len(s.done) != 1 {
			return breach("the stream %s ended %d times", name, len(s.done))
		}
		if s.done[0].Error != nil {
			return breach("the stream %s did not end well: %v", name, s.done[0].Error)
		}
	}
	return nil
}

func bounded(x *exam) error {
	return inboundLaw(readBounded, func(x *exam, t *inboundTalk) error {
		if t.err != nil {
			return x.trouble(t.script.name, t.err)
		}
		for name, s := range t.streams {
			for _, at := range instantsOf(s.cursors) {
				if !at.Before(t.script.about.StartedAt) {
					return breach("the stream %s brought a row of %s in a run that started at %s", name,
						at.Format(time.RFC3339Nano), t.script.about.StartedAt.Format(time.RFC3339Nano))
				}
			}
		}
		return nil
	})(x)
}

func announcedTombstones(x *exam) error {
	streams, err := x.described()
	if err != nil {
		return err
	}
	feature := x.feature(connector.FeatureTombstones) == nil
	for _, s := range streams {
		if s.Tombstones && !feature {
			return breach("the stream %s announces tombstones, the manifest does not", s.Name)
		}
	}
	for _, talk := range []string{readFirst, readAgain} {
		t, err := x.inbound(talk)
		if isSkip(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, s := range streams {
			if h := t.streams[s.Name]; h != nil && h.tombstones > 0 && !s.Tombstones {
				return breach("the stream %s sent %d tombstones, which it does not announce", s.Name, h.tombstones)
			}
		}
	}
	return nil
}

// readStopped looks at a run that was to stop.
func (x *exam) readStopped(t *inboundTalk) error {
	if t.deadline.IsZero() {
		if t.err != nil {
			return see("L-707", t.err)
		}
		return skip("the run ended before it could be stopped%s", t.excuse())
	}
	return x.endedBy(&t.hearing, t.err)
}

// excuse says why a run brought no rows.
func (t *inboundTalk) excuse() string {
	for name, s := range t.streams {
		for _, d := range s.done {
			if d.Error != nil {
				return fmt.Sprintf("; the stream %s ended with: %v", name, d.Error)
			}
		}
	}
	return ""
}

func stoppedStreams(x *exam) error {
	judged := 0
	for _, name := range []string{readDrain, readNow} {
		t, err := x.inbound(name)
		if err != nil {
			return err
		}
		if t.err != nil {
			continue
		}
		judged++
		for stream, s := range t.streams {
			if len(s.done) == 0 {
				return breach("%s: the stream %s has no end", name, stream)
			}
		}
	}
	if judged == 0 {
		return skip("no run that was stopped ended well; see L-722 and L-723")
	}
	return nil
}

func rowsLost(_ *exam, t *inboundTalk) error {
	if t.err != nil {
		return nil
	}
	for name, s := range t.streams {
		for _, d := range s.done {
			if d.Error == nil && s.refused > 0 {
				return breach("the stream %s ended well, though the host took none of its rows", name)
			}
		}
	}
	return nil
}
