package runner

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// inboundRun is one inbound run under way.
type inboundRun struct {
	*work
	streams []*streamBook
}

// inbound carries an inbound run from where it stands to its end. A run that was
// interrupted reads the streams that were not done, from their last checkpoints.
func (w *work) inbound(options RunOptions) error {
	r := &inboundRun{work: w}
	resumed := len(w.run.Streams) > 0
	if err := r.prepare(); err != nil {
		return w.refuse(err)
	}
	if !resumed {
		if err := r.startOver(options.Resync); err != nil {
			return err
		}
	}
	failure, err := r.conversations(resumed)
	if err != nil {
		return err
	}
	stopped := w.stop.why()
	w.update(func(run *Run) {
		if stopped != nil && !allDone(run.Streams) {
			run.Error = stopped
		} else if failure != nil {
			run.Error = failure
		}
		if run.State = inboundState(run.Streams, run.Error); run.State == RunDelayed && run.Error == nil {
			run.Error = whyDelayed(run.Streams)
		}
		run.FinishedAt = w.engine.now()
	})
	return nil
}

// prepare finds out how each stream is read and kept.
func (r *inboundRun) prepare() error {
	inbound, err := inboundOf(r.handle.session)
	if err != nil {
		return err
	}
	spec := r.sync.Inbound
	names := make([]string, len(spec.Streams))
	for i, s := range spec.Streams {
		names[i] = s.Name
	}
	defer r.stage(stageOpen, "asking connector "+r.connection.Connector+" for its streams")()
	ctx, explain, done := r.asking()
	defer done()
	described, err := inbound.Streams(ctx, connector.StreamQuery{Answers: spec.Answers, Names: names})
	if err != nil {
		return fmt.Errorf("streams of sync %s: %w", r.sync.Name, explain(r.lastWords(err)))
	}
	for _, s := range spec.Streams {
		at := slices.IndexFunc(described, func(d connector.Stream) bool { return d.Name == s.Name })
		if at < 0 {
			return defect("it did not describe stream %q although it was asked for it", s.Name)
		}
		book, err := newStreamBook(r.sync, s, described[at])
		if err != nil {
			return err
		}
		book.target.RunID = r.run.ID
		r.streams = append(r.streams, book)
	}
	r.adopt()
	return nil
}

// adopt takes over what an earlier part of the run has done with each stream.
func (r *inboundRun) adopt() {
	for _, book := range r.streams {
		for _, before := range r.run.Streams {
			if before.Stream == book.result.Stream {
				book.result = before
				book.before = before.Counts
			}
		}
	}
}

// startOver forgets the cursors of streams that are to be read in full. It comes
// before the streams are entered in the run, so that an interrupted run can tell
// its own checkpoints from those of earlier runs.
func (r *inboundRun) startOver(resync bool) error {
	for _, book := range r.streams {
		if !resync && !book.target.FullRefresh {
			continue
		}
		if err := r.warehouse.ResetStream(r.ctx, r.sync.Name, book.result.Stream); err != nil {
			return fmt.Errorf("forgetting the cursor of stream %s: %w", book.result.Stream, err)
		}
	}
	r.enter()
	return r.save()
}

// enter copies the streams' results into the run.
func (r *inboundRun) enter() {
	results := make([]StreamResult, len(r.streams))
	for i, book := range r.streams {
		results[i] = book.standing()
	}
	r.update(func(run *Run) { run.Streams = results })
}

// note enters one stream's result in the run.
func (r *inboundRun) note(result StreamResult) {
	r.update(func(run *Run) {
		for i := range run.Streams {
			if run.Streams[i].Stream == result.Stream {
				run.Streams[i] = result
			}
		}
	})
}

// conversations reads what is not done. A connector that dies is launched anew
// once, and goes on from the last checkpoints.
func (r *inboundRun) conversations(resumed bool) (*connector.Error, error) {
	for deaths := 0; ; deaths++ {
		failure, err := r.conversation(resumed || deaths > 0)
		if err != nil || failure == nil {
			return nil, err
		}
		e := connector.AsError(r.lastWords(failure))
		r.dismiss()
		passing := e.Class == connector.ClassTransient || e.Class == connector.ClassInternal && !brokeContract(e)
		if !passing || deaths >= maxDeaths || r.stop.why() != nil {
			return e, nil
		}
		r.log.Warn("launching the connector anew", "after", e)
		if stopped := r.pause(max(firstWait, min(e.RetryAfter, maxWait))); stopped != nil {
			return stopped, nil
		}
	}
}

// conversation is one call of SyncInbound for the streams that are not done.
func (r *inboundRun) conversation(resumed bool) (failure, err error) {
	states, err := r.warehouse.States(r.ctx, r.sync.Name)
	if err != nil {
		return nil, fmt.Errorf("reading the cursors of sync %s: %w", r.sync.Name, err)
	}
	request := connector.InboundSync{
		SyncID: r.sync.Name, RunID: r.run.ID, Answers: r.sync.Inbound.Answers,
		StartedAt: r.run.StartedAt, Deadline: r.run.Deadline, AcksCheckpoints: true, KeepsLedger: true,
	}
	c := &inboundConversation{host: newHost(r.work), run: r, streams: map[string]*streamBook{}}
	for _, book := range r.streams {
		if book.over() {
			continue
		}
		request.Streams = append(request.Streams, book.begin(states[book.result.Stream], resumed, r.engine.now()))
		c.streams[book.result.Stream] = book
	}
	if len(request.Streams) == 0 {
		return nil, nil
	}
	if r.handle == nil {
		if err := r.spawn(); err != nil {
			return err, nil
		}
	}
	inbound, err := inboundOf(r.handle.session)
	if err != nil {
		return err, nil
	}
	sent := r.conversing()
	failure = r.converse(c.host, nil, func(ctx context.Context) error {
		return inbound.SyncInbound(connector.WithHost(ctx, c), request, c)
	})
	sent()
	c.gate.close()
	c.end(failure)
	return failure, nil
}

var plainIdentifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// defaultTable is the stream's name in a schema named like the sync. Names that
// are no plain identifiers are quoted as in SQL.
func defaultTable(sync, stream string) string {
	quote := func(name string) string {
		if plainIdentifier.MatchString(name) {
			return name
		}
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return quote(sync) + "." + quote(stream)
}

func allDone(streams []StreamResult) bool {
	return !slices.ContainsFunc(streams, func(s StreamResult) bool { return !s.Done })
}

// inboundState says in a word what a run came to. Streams that only want time or
// budget are read by the next run; one that failed for good fails alone.
func inboundState(streams []StreamResult, err *connector.Error) RunState {
	someDone, somePassing, someFatal := false, false, false
	for _, s := range streams {
		switch {
		case s.Done:
			someDone = true
		case fatal(s.Error):
			someFatal = true
		case s.Error != nil:
			somePassing = true
		}
	}
	switch {
	case allDone(streams) && err == nil:
		return RunHealthy
	case !allDone(streams) && !someFatal && (somePassing || err != nil) && !fatal(err):
		return RunDelayed
	case someDone:
		return RunIncomplete
	default:
		return RunFailed
	}
}

// whyDelayed is what the first stream waits for that only wants time or budget.
func whyDelayed(streams []StreamResult) *connector.Error {
	for _, s := range streams {
		if s.Error != nil && !fatal(s.Error) {
			return s.Error
		}
	}
	return nil
}
