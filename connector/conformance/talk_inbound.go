package conformance

import (
	"context"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// The names of the inbound conversations.
const (
	readFirst   = "a first read"
	readAgain   = "the read after it"
	readMidway  = "a read that goes on at a checkpoint"
	readFields  = "a read of one column"
	readKey     = "a read of a key column alone"
	readBounded = "an incremental read with an earlier bound"
	readDrain   = "a read that is to drain"
	readNow     = "a read that is to stop now"
	readCancel  = "a read that is cancelled"
	readFails   = "a read whose host takes no rows"
)

// inbound returns a conversation, which is held once.
func (x *exam) inbound(name string) (*inboundTalk, error) {
	if t := x.inbounds[name]; t != nil {
		return t, nil
	}
	script, err := x.inboundScript(name)
	if err != nil {
		return nil, err
	}
	t, err := x.read(script)
	if err == nil {
		x.inbounds[name] = t
	}
	return t, err
}

// selected are the described streams of the subject, and how they are selected.
func (x *exam) selected() ([]connector.Stream, []connector.StreamSelection, error) {
	streams, err := x.described()
	if err != nil {
		return nil, nil, err
	}
	selections := slices.Clone(x.subject.Inbound.Streams)
	for i := range selections {
		s := find(streams, selections[i].Name)
		if s == nil || len(s.Modes) == 0 {
			return nil, nil, skip("the stream %s was not described, or has no mode; see L-703", selections[i].Name)
		}
		if selections[i].Mode == "" {
			selections[i].Mode = s.Modes[0]
		}
	}
	return streams, selections, nil
}

func find(streams []connector.Stream, name string) *connector.Stream {
	for i := range streams {
		if streams[i].Name == name {
			return &streams[i]
		}
	}
	return nil
}

func (x *exam) inboundScript(name string) (inboundScript, error) {
	streams, selections, err := x.selected()
	if err != nil {
		return inboundScript{}, err
	}
	s := inboundScript{name: name, about: connector.InboundSync{
		SyncID: "conformance", RunID: "conformance", Answers: x.subject.Inbound.Answers, Streams: selections,
		StartedAt: time.Now(), AcksCheckpoints: true,
	}}
	switch name {
	case readDrain, readNow:
		s.slow, s.stop = true, connector.StopDrain
		if name == readNow {
			s.stop = connector.StopNow
		}
	case readCancel:
		s.slow, s.cancel = true, true
	case readFails:
		s.failRows = true
	case readAgain, readMidway, readFields, readKey, readBounded:
		err = x.adapt(&s, streams)
	}
	return s, err
}

// adapt makes a later conversation of what the first one brought.
func (x *exam) adapt(s *inboundScript, streams []connector.Stream) error {
	first, err := x.inbound(readFirst)
	if err != nil {
		return err
	}
	if first.err != nil {
		return see("L-707", first.err)
	}
	var kept []connector.StreamSelection
	for _, selection := range s.about.Streams {
		heard, stream := first.streams[selection.Name], find(streams, selection.Name)
		if len(heard.done) == 0 || heard.done[0].Error != nil {
			return skip("the stream %s did not end well; see L-708", selection.Name)
		}
		if x.adaptOne(s, &selection, heard, stream) {
			kept = append(kept, selection)
		}
	}
	if len(kept) == 0 {
		return skip("no stream is fit for %s", s.name)
	}
	s.about.Streams = kept
	return nil
}

func (x *exam) adaptOne(s *inboundScript, selection *connector.StreamSelection, heard *heardStream, stream *connector.Stream) bool {
	switch s.name {
	case readAgain:
		selection.State = heard.done[0].State
		return true
	case readMidway:
		if len(heard.states) == 0 {
			return false
		}
		selection.State = heard.states[0]
		return true
	case readFields, readKey:
		for _, c := range heard.columns {
			isKey := slices.Contains(stream.Key, c.Name)
			if c.Name != stream.Cursor && isKey == (s.name == readKey) {
				selection.Fields = []string{c.Name} // the last one wins
			}
		}
		return len(selection.Fields) > 0
	}
	if !slices.Contains(stream.Modes, connector.ReadIncremental) {
		return false
	}
	instants := instantsOf(heard.cursors)
	if len(instants) < 2 || !instants[0].Before(instants[len(instants)-1]) {
		return false
	}
	selection.Mode = connector.ReadIncremental
	s.about.StartedAt = instants[len(instants)/2]
	if !instants[0].Before(s.about.StartedAt) {
		s.about.StartedAt = instants[len(instants)-1]
	}
	return true
}

// instantsOf are the texts that are instants, in order.
func instantsOf(texts []string) []time.Time {
	var all []time.Time
	for _, text := range texts {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// read runs one inbound conversation with a connector that was just opened.
func (x *exam) read(script inboundScript) (*inboundTalk, error) {
	streams, err := x.described()
	if err != nil {
		return nil, err
	}
	cursors := map[string]string{}
	for _, s := range streams {
		cursors[s.Name] = s.Cursor
	}
	s, done, err := x.anew()
	if err != nil {
		return nil, err
	}
	defer done()
	in, ok := s.(connector.Inbound)
	if !ok {
		return nil, skip("the connector has no inbound direction")
	}
	t := newInboundTalk(script, x.options, cursors)
	_, t.err = ask(x, "SyncInbound, "+script.name, x.options.Patience, func(ctx context.Context) (struct{}, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		t.mu.Lock()
		t.cancel = cancel
		t.mu.Unlock()
		return struct{}{}, in.SyncInbound(ctx, script.about, t)
	})
	t.seal()
	x.heard(script.name, &t.hearing)
	return t, nil
}
