package conformance

import (
	"fmt"
	"slices"
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
