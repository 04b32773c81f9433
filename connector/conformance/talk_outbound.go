package conformance

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// The names of the conversations.
const (
	talkPlain     = "a plain run"
	talkReversed  = "a run in reverse order"
	talkEmpty     = "a run without records"
	talkLong      = "a long run"
	talkNoTickets = "a run whose host keeps no tickets"
	talkDrain     = "a run that is to drain"
	talkNow       = "a run that is to stop now"
	talkCancel    = "a run that is cancelled"
	talkDeadline  = "a run with a deadline"
	talkSettle    = "a run whose host takes no outcomes"
	talkNext      = "a run whose host cannot go on"
	talkPrepare   = "a run whose host cannot journal"
	talkLeft      = "a run that is stopped at a submitted ticket"
	talkResume    = "the run after it"
)

// script returns how the host of a conversation behaves.
func (x *exam) script(name string) outboundScript {
	all := x.subject.Outbound.Records
	var good []Record
	for _, r := range all {
		if !r.Bad {
			good = append(good, r)
		}
	}
	s := outboundScript{name: name, records: good, rows: x.options.BatchRows, keepsTickets: true}
	switch name {
	case talkPlain:
		s.records, s.slowAck = all, true
	case talkReversed:
		s.records, s.rows = slices.Clone(all), 1
		slices.Reverse(s.records)
	case talkEmpty:
		s.records = nil
	case talkLong:
		s.rows = max(x.options.BatchRows, x.subject.Outbound.ReadAhead/10)
		s.repeat = 2 * (x.subject.Outbound.ReadAhead + onWire*s.rows)
	case talkNoTickets:
		s.keepsTickets = false
	case talkDrain, talkNow:
		s.endless, s.pace, s.stop = true, x.options.Pace, connector.StopDrain
		if name == talkNow {
			s.stop = connector.StopNow
		}
	case talkCancel:
		s.endless, s.cancel = true, true
	case talkDeadline:
		s.endless, s.pace, s.timed = true, x.options.Pace, true
	case talkSettle:
		s.failSettle = true
	case talkNext:
		s.failNext = true
	case talkPrepare:
		s.failPrepared = true
	case talkLeft:
		s.stopOnSubmit = true
	}
	return s
}

// outbound returns a conversation, which is held once.
func (x *exam) outbound(name string) (*outboundTalk, error) {
	if t := x.outbounds[name]; t != nil {
		return t, nil
	}
	if x.subject.Outbound == nil {
		return nil, skip("no outbound sync was given")
	}
	t, err := x.converse(x.script(name))
	if err == nil {
		x.outbounds[name] = t
	}
	return t, err
}

// strategy is the strategy of the subject's outbound sync.
func (x *exam) strategy() (connector.Strategy, error) {
	m, err := x.manifest()
	if err != nil {
		return connector.Strategy{}, err
	}
	for _, s := range m.Strategies {
		if s.Name == x.subject.Outbound.Strategy {
			return s, nil
		}
	}
	return connector.Strategy{}, skip("the manifest has no strategy %q", x.subject.Outbound.Strategy)
}

func (x *exam) action(s connector.Strategy) connector.Action {
	for _, a := range []connector.Action{x.subject.Outbound.Action, s.New, s.Changed, s.Removed, s.Unchanged} {
		if a != "" {
			return a
		}
	}
	return connector.ActionCreate
}

// converse runs one outbound conversation with a connector that was just
// opened.
func (x *exam) converse(script outboundScript) (*outboundTalk, error) {
	strategy, err := x.strategy()
	if err != nil {
		return nil, err
	}
	s, done, err := x.anew()
	if err != nil {
		return nil, err
	}
	defer done()
	out, ok := s.(connector.Outbound)
	if !ok {
		return nil, skip("the connector has no outbound direction")
	}
	o := x.subject.Outbound
	script.prefix = prefix()
	script.action, script.schema = x.action(strategy), &connector.Schema{ID: "s1"}
	for _, m := range o.Mapping {
		script.schema.Columns = append(script.schema.Columns, connector.Column(m))
	}
	t := newOutboundTalk(script, x.options)
	about := connector.OutboundSync{
		SyncID: "conformance", RunID: "conformance", Strategy: strategy, Answers: o.Answers, Mapping: o.Mapping,
		KeepsTickets: script.keepsTickets, Tickets: script.tickets,
	}
	if !script.endless {
		about.Records = int64(max(len(script.records), script.repeat))
	}
	if script.timed {
		t.deadline = time.Now().Add(x.options.Deadline)
		about.Deadline = t.deadline
	}
	_, t.err = ask(x, "SyncOutbound, "+script.name, x.options.Patience, func(ctx context.Context) (struct{}, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		t.mu.Lock()
		t.cancel = cancel
		t.mu.Unlock()
		return struct{}{}, out.SyncOutbound(ctx, about, t)
	})
	t.seal()
	x.heard(script.name, &t.hearing)
	return t, nil
}

// prefix is a text of letters and digits that nobody used before.
func prefix() string { return strings.ToLower(rand.Text()[:10]) }

// anew opens the connector and a session for one conversation; done closes both.
func (x *exam) anew() (s connector.Session, done func(), err error) {
	connection, err := x.connection()
	if err != nil {
		return nil, nil, err
	}
	c, down, err := x.subject.Open(x.ctx)
	if err != nil {
		return nil, nil, skip("the connector could not be opened again: %v", err)
	}
	if down == nil {
		down = func() {}
	}
	s, err = x.opens(c, connection)
	if err != nil {
		down()
		return nil, nil, see("L-204", err)
	}
	return s, func() {
		_, _ = ask(x, "Close", x.options.Prompt, func(context.Context) (struct{}, error) { return struct{}{}, s.Close() })
		down()
	}, nil
}
