package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// lineEvery is how often a line of progress is written where nobody draws bars.
const lineEvery = 2 * time.Second

// progress shows runs while they go on: bars on a terminal, lines elsewhere,
// nothing with --json. Where several runs are shown, lines name their syncs.
type progress struct {
	app     *app
	several bool

	mu     sync.Mutex
	views  map[string]*view // by run
	bars   *mpb.Progress
	byName map[string]*mpb.Bar
}

// view is what was shown of one run.
type view struct {
	name     string // of the sync, where several runs are shown
	total    int64
	settled  int64
	activity string
	waiting  connector.Waiting
	lastLine time.Time
	tickets  map[string]connector.TicketState
	streams  map[string]runner.StreamResult
}

func (a *app) progress(several bool) *progress {
	p := &progress{app: a, several: several, views: map[string]*view{}, byName: map[string]*mpb.Bar{}}
	if a.env.StderrTerminal && !a.json {
		p.bars = mpb.New(mpb.WithOutput(a.env.Stderr), mpb.WithWidth(60), mpb.WithAutoRefresh())
	}
	return p
}

// view returns what was shown of an event's run.
func (p *progress) view(event runner.Event) *view {
	v := p.views[event.RunID]
	if v == nil {
		v = &view{tickets: map[string]connector.TicketState{}, streams: map[string]runner.StreamResult{}}
		if p.several {
			v.name = event.Sync
		}
		p.views[event.RunID] = v
	}
	return v
}

// Watch takes one event of the engine.
func (p *progress) Watch(event runner.Event) {
	if p.app.json {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view(event)
	switch {
	case event.Plan != nil:
		v.total = event.Plan.Records
		p.line(v, event.Time, true, "planned: %d of %d rows to send", v.total, event.Plan.SourceRows)
		p.draw(v, "records", v.total, 0)
	case event.Outcomes != nil:
		v.settled = settled(event.Outcomes)
		p.line(v, event.Time, false, "%d of %d settled: %s", v.settled, v.total, outcomesText(event.Outcomes))
		p.draw(v, "records", v.total, v.settled)
	case event.Progress != nil:
		p.progress(v, event.Time, *event.Progress)
	case event.Ticket != nil:
		// What the app is busy with is worth a line; a connector that journals
		// each record alone would fill the screen with the other steps.
		submitted := event.Ticket.State == connector.TicketSubmitted
		changed := submitted && v.tickets[event.Ticket.ID] != event.Ticket.State
		v.tickets[event.Ticket.ID] = event.Ticket.State
		if event.Ticket.State == connector.TicketDone {
			delete(v.tickets, event.Ticket.ID)
		}
		p.line(v, event.Time, changed, "work %s is %s", event.Ticket.ID, event.Ticket.State)
	case event.Stream != nil:
		p.stream(v, event.Time, *event.Stream)
	}
}

func (p *progress) progress(v *view, at time.Time, now connector.Progress) {
	changed := now.Waiting != v.waiting
	v.activity, v.waiting = now.Activity, now.Waiting
	text := strings.TrimPrefix(now.Stream+": "+now.Activity, ": ")
	if !now.Until.IsZero() {
		text += fmt.Sprintf(" until %s", now.Until.Local().Format("15:04:05"))
	}
	p.line(v, at, changed, "%s", text)
}

func (p *progress) stream(v *view, at time.Time, s runner.StreamResult) {
	before := v.streams[s.Stream]
	v.streams[s.Stream] = s
	p.line(v, at, s.Done != before.Done || (s.Error == nil) != (before.Error == nil), "%s", streamText(s))
	p.draw(v, s.Stream, 0, s.Counts.Rows)
}

// line writes a line unless bars are drawn: always at a change of state, else at
// most every lineEvery.
func (p *progress) line(v *view, at time.Time, changed bool, format string, args ...any) {
	if p.bars != nil || !changed && at.Sub(v.lastLine) < lineEvery {
		return
	}
	v.lastLine = at
	p.app.notice("%s", strings.TrimPrefix(v.name+": ", ": ")+fmt.Sprintf(format, args...))
}

// draw moves a bar. A total of 0 is unknown.
func (p *progress) draw(v *view, name string, total, current int64) {
	if p.bars == nil {
		return
	}
	name = strings.TrimPrefix(v.name+" ", " ") + name
	bar := p.byName[name]
	if bar == nil {
		bar = p.bars.AddBar(total,
			mpb.PrependDecorators(decor.Name(name, decor.WC{W: 12, C: decor.DindentRight}), decor.CurrentNoUnit("%d")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.doing(v) })))
		p.byName[name] = bar
	}
	bar.SetCurrent(current)
}

// doing is what the bars say beside them.
func (p *progress) doing(v *view) string {
	if !p.mu.TryLock() { // the event that moves the bar holds the lock
		return ""
	}
	defer p.mu.Unlock()
	return " " + v.activity
}

// finish ends the bars and waits until they are drawn.
func (p *progress) finish() {
	if p.bars == nil {
		return
	}
	p.mu.Lock()
	bars := p.byName
	p.mu.Unlock()
	for _, bar := range bars {
		if !bar.Completed() {
			bar.Abort(false)
		}
	}
	p.bars.Wait()
}

func settled(outcomes map[connector.Status]int64) int64 {
	var sum int64
	for status, n := range outcomes {
		if status != "" {
			sum += n
		}
	}
	return sum
}
