package conformance

import (
	"context"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

var outboundLaws = []Law{
	{"L-501", AreaOutbound, "A run whose records were all taken ends well, whatever became of them.", outboundLaw(talkPlain, (*exam).endedWell)},
	{"L-502", AreaOutbound, "Every record gets an outcome.", outboundLaw(talkPlain, func(x *exam, t *outboundTalk) error {
		if t.err != nil {
			return see("L-501", t.err)
		}
		return allSettled(t)
	})},
	{"L-503", AreaOutbound, "No record gets two outcomes in a run.", outboundLaw(talkPlain, onlyOnce)},
	{"L-504", AreaOutbound, "No outcome is for a record that was not given.", outboundLaw(talkPlain, func(_ *exam, t *outboundTalk) error {
		if len(t.strange) > 0 {
			return breach("record %d was settled, which was never sent", t.strange[0])
		}
		return nil
	})},
	{"L-505", AreaOutbound, "An outcome is one of the contract's, not SKIPPED, and says why unless it is SUCCEEDED.", outboundLaw(talkPlain, reasoned)},
	{"L-506", AreaOutbound, "Outcomes are well formed: identifiers parallel to records, exceptions in ascending order, details in JSON.", outboundLaw(talkPlain, func(_ *exam, t *outboundTalk) error {
		if len(t.misshape) > 0 {
			return breach("%s", t.misshape[0])
		}
		return nil
	})},
	{"L-507", AreaOutbound, "Records that were created have different app identifiers.", outboundLaw(talkPlain, distinctKeys)},
	{"L-508", AreaOutbound, "A record that is not accepted does not succeed.", outboundLaw(talkPlain, badFail)},
	{"L-509", AreaOutbound, "A record that is not accepted fails alone: the others succeed.", outboundLaw(talkPlain, goodSucceed)},
	{"L-510", AreaOutbound, "The outcome follows the record, however records are ordered and cut into batches.", outboundLaw(talkReversed, followsRecord)},
	{"L-511", AreaOutbound, "A run without records ends well, settles nothing and leaves no ticket.", outboundLaw(talkEmpty, emptyRun)},
	{"L-512", AreaOutbound, "The connector does not read ahead without bound.", readAhead},
	{"L-513", AreaOutbound, "After a stop that drains, the run ends well before the deadline of the stop.", outboundLaw(talkDrain, (*exam).stopped)},
	{"L-514", AreaOutbound, "After a stop now, the run ends well before the deadline of the stop.", outboundLaw(talkNow, (*exam).stopped)},
	{"L-515", AreaOutbound, "After a stop every record in hand has its outcome.", stoppedSettled},
	{"L-516", AreaOutbound, "A run that is cancelled ends promptly, with an error of class CANCELLED.", outboundLaw(talkCancel, func(x *exam, t *outboundTalk) error {
		return x.cancelledPromptly(&t.hearing, t.err)
	})},
	{"L-517", AreaOutbound, "A run ends by its deadline, well.", outboundLaw(talkDeadline, (*exam).stopped)},
	{"L-518", AreaOutbound, "At the deadline every record in hand has its outcome.", outboundLaw(talkDeadline, func(x *exam, t *outboundTalk) error {
		if t.err != nil {
			return see("L-517", t.err)
		}
		return allSettled(t)
	})},
	{"L-519", AreaOutbound, "When the host cannot take outcomes, the run ends with an error.", outboundLaw(talkSettle, (*exam).endedBadly)},
	{"L-520", AreaOutbound, "When the host cannot go on with the records, the run ends with an error.", outboundLaw(talkNext, (*exam).endedBadly)},
	{"L-521", AreaOutbound, "Nothing is said after the run ended.", outboundLaw(talkPlain, func(_ *exam, t *outboundTalk) error {
		if n := t.lateCalls(); n > 0 {
			return breach("the host was called %d times after SyncOutbound returned", n)
		}
		return nil
	})},
	{"L-522", AreaOutbound, "Where the host keeps no tickets, the run goes on without waiting for acks.", outboundLaw(talkNoTickets, (*exam).endedWell)},
	{"L-523", AreaOutbound, "ValidateRecords finds rows of the batch, INVALID and with a reason, and none that is accepted.", validates},
	{"L-524", AreaOutbound, "OutboundCosts names paths that draw on categories and pools of the limits, and chooses one of them.", pricesPaths},
}

func outboundLaw(talk string, check func(*exam, *outboundTalk) error) func(*exam) error {
	return func(x *exam) error {
		t, err := x.outbound(talk)
		if err != nil {
			return err
		}
		if errorIsPanic(t.err) {
			return x.trouble(talk, t.err)
		}
		return check(x, t)
	}
}

func errorIsPanic(err error) bool {
	_, ok := err.(*panicError)
	return ok || errorCode(err) == "PANIC"
}

func (x *exam) endedWell(t *outboundTalk) error {
	if t.err != nil {
		return x.trouble(t.script.name, t.err)
	}
	return nil
}

func (x *exam) endedBadly(t *outboundTalk) error {
	if _, ok := t.err.(*overdueError); ok {
		return breach("%v", t.err)
	}
	if t.err == nil {
		return breach("the host said: %v; the run ended well all the same", errHost)
	}
	return nil
}

func allSettled(t *outboundTalk) error {
	if open := t.unsettled(); len(open) > 0 {
		return breach("%d of %d records have no outcome, such as record %d", len(open), len(t.taken), open[0])
	}
	return nil
}

func onlyOnce(_ *exam, t *outboundTalk) error {
	for _, seq := range t.order {
		if n := len(t.outcomes[seq]); n > 1 {
			return breach("record %d was settled %d times", seq, n)
		}
	}
	return nil
}

var statuses = []connector.Status{
	connector.StatusSucceeded, connector.StatusRejected, connector.StatusRetry, connector.StatusDelayed, connector.StatusInvalid, connector.StatusInDoubt,
}

func reasoned(_ *exam, t *outboundTalk) error {
	for _, seq := range t.order {
		for _, o := range t.outcomes[seq] {
			if !slices.Contains(statuses, o.status) {
				return breach("record %d has the outcome %q", seq, o.status)
			}
			if o.status != connector.StatusSucceeded && (o.err == nil || o.err.Message == "") {
				return breach("record %d is %s without a reason", seq, o.status)
			}
		}
	}
	return nil
}

func distinctKeys(_ *exam, t *outboundTalk) error {
	if t.script.action != connector.ActionCreate {
		return skip("the records are not created but are to %s", t.script.action)
	}
	seen := map[string]int64{}
	for _, seq := range t.order {
		for _, o := range t.outcomes[seq][:min(1, len(t.outcomes[seq]))] {
			if other, ok := seen[o.app]; ok && o.app != "" {
				return breach("records %d and %d have the same app identifier", other, seq)
			}
			seen[o.app] = seq
		}
	}
	return nil
}

func badFail(_ *exam, t *outboundTalk) error {
	tried := 0
	for _, seq := range t.order {
		if !t.taken[seq].Bad {
			continue
		}
		tried++
		for _, o := range t.outcomes[seq] {
			if o.status == connector.StatusSucceeded {
				return breach("record %d (%s) succeeded", seq, t.taken[seq].Identifier)
			}
		}
	}
	if tried == 0 {
		return skip("no record was given that is not accepted")
	}
	return nil
}

func goodSucceed(_ *exam, t *outboundTalk) error {
	if t.err != nil {
		return see("L-501", t.err)
	}
	for _, seq := range t.order {
		for _, o := range t.outcomes[seq] {
			if !t.taken[seq].Bad && o.status != connector.StatusSucceeded && slices.Contains(statuses, o.status) {
				return breach("record %d (%s) is %s: %v", seq, t.taken[seq].Identifier, o.status, o.err)
			}
		}
	}
	return nil
}

// followsRecord looks for outcomes that went to a neighbour. A record that is
// sent a second time may well be rejected as a duplicate.
func followsRecord(x *exam, t *outboundTalk) error {
	plain, err := x.outbound(talkPlain)
	if err != nil {
		return err
	}
	if plain.err != nil || badFail(x, plain) != nil && !isSkip(badFail(x, plain)) {
		return skip("the plain run failed already")
	}
	for _, seq := range t.order {
		for _, o := range t.outcomes[seq] {
			switch bad := t.taken[seq].Bad; {
			case bad && o.status == connector.StatusSucceeded:
				return breach("%s, which is not accepted, succeeds in reverse order", t.taken[seq].Identifier)
			case !bad && o.status == connector.StatusInvalid:
				return breach("%s is INVALID in reverse order", t.taken[seq].Identifier)
			}
		}
	}
	return nil
}

func emptyRun(x *exam, t *outboundTalk) error {
	if t.err != nil {
		return x.trouble(t.script.name, t.err)
	}
	if len(t.strange) > 0 || len(t.steps) > 0 {
		return breach("%d outcomes and %d tickets came of no record", len(t.strange), len(t.steps))
	}
	return nil
}

func readAhead(x *exam) error {
	if x.subject.Outbound == nil || x.subject.Outbound.ReadAhead == 0 {
		return skip("it was not said how many records the connector may hold")
	}
	t, err := x.outbound(talkLong)
	if err != nil {
		return err
	}
	if t.err != nil {
		return see("L-501", t.err)
	}
	if bound := x.subject.Outbound.ReadAhead + onWire*t.script.rows; t.peak > bound {
		return breach("%d records were taken and had no outcome at once, more than %d", t.peak, bound)
	}
	return nil
}

// onWire is the number of batches that may be under way between host and
// connector: the window of package plugin and those in the sockets.
const onWire = 16

// stopped looks at a run that was to end by a time.
func (x *exam) stopped(t *outboundTalk) error {
	if t.deadline.IsZero() {
		if t.err != nil {
			return see("L-501", t.err)
		}
		return skip("the run ended before it could be stopped")
	}
	return x.endedBy(&t.hearing, t.err)
}

func (x *exam) endedBy(h *hearing, err error) error {
	if o, ok := err.(*overdueError); ok {
		return breach("%v, though it was to end within %v", o, x.options.Stop)
	}
	if late := h.returned.Sub(h.deadline); late > 0 {
		return breach("the run ended %v after its deadline", late)
	}
	if err != nil {
		return x.trouble("the run", err)
	}
	return nil
}

func (x *exam) cancelledPromptly(h *hearing, err error) error {
	if h.cancelled.IsZero() {
		return skip("the run ended before it could be cancelled")
	}
	if took := h.returned.Sub(h.cancelled); took > x.options.Prompt {
		return breach("the run ended %v after it was cancelled", took)
	}
	if got := connector.ClassOf(err); got != connector.ClassCancelled {
		return breach("the run ended with the error %v, which is not of class CANCELLED", err)
	}
	return nil
}

func stoppedSettled(x *exam) error {
	judged := 0
	for _, name := range []string{talkDrain, talkNow} {
		t, err := x.outbound(name)
		if err != nil {
			return err
		}
		if t.err != nil {
			continue
		}
		judged++
		if err := allSettled(t); err != nil {
			return breach("%s: %v", name, err)
		}
	}
	if judged == 0 {
		return skip("no run that was stopped ended well; see L-513 and L-514")
	}
	return nil
}

// beforehand returns what the session has to say, by a feature, of an outbound
// sync before it is run, and that sync.
func beforehand[Capability any](x *exam, feature connector.Feature) (c Capability, about connector.OutboundSync, err error) {
	if err := x.feature(feature); err != nil {
		return c, about, err
	}
	o := x.subject.Outbound
	if o == nil {
		return c, about, skip("no outbound sync was given")
	}
	s, err := x.bound()
	if err != nil {
		return c, about, err
	}
	c, ok := s.(Capability)
	if !ok {
		return c, about, see("L-012", breach(""))
	}
	strategy, err := x.strategy()
	return c, connector.OutboundSync{SyncID: "conformance", RunID: "conformance", Strategy: strategy, Answers: o.Answers, Mapping: o.Mapping}, err
}

func validates(x *exam) error {
	v, about, err := beforehand[connector.RecordValidator](x, connector.FeatureValidateRecords)
	if err != nil {
		return err
	}
	o := x.subject.Outbound
	batch := &connector.RecordBatch{Schema: &connector.Schema{ID: "s1"}, Action: x.action(about.Strategy), Columns: make([]connector.Values, len(o.Mapping))}
	for _, m := range o.Mapping {
		batch.Schema.Columns = append(batch.Schema.Columns, connector.Column(m))
	}
	unique := prefix()
	for i, r := range o.Records {
		appendRecord(batch, int64(i+1), r.made(unique, int64(i+1)))
	}
	findings, err := ask(x, "ValidateRecords", x.options.Patience, func(ctx context.Context) ([]connector.RowOutcome, error) {
		return v.ValidateRecords(ctx, about, batch)
	})
	if err != nil {
		return x.trouble("ValidateRecords", err)
	}
	for _, f := range findings {
		switch {
		case f.Row < 0 || f.Row >= batch.Rows:
			return breach("a finding is for row %d of %d", f.Row, batch.Rows)
		case f.Status != connector.StatusInvalid || f.Error == nil:
			return breach("the finding for row %d is %s without a reason, or not INVALID", f.Row, f.Status)
		case !o.Records[f.Row].Bad:
			return breach("the record %s, which is accepted, is found INVALID: %v", o.Records[f.Row].Identifier, f.Error)
		}
	}
	return nil
}
