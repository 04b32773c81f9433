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

// progress shows a run while it goes on: bars on a terminal, lines elsewhere,
// nothing with --json.
type progress struct {
	app *app

	mu       sync.Mutex
	total    int64
	settled  int64
	activity string
	waiting  connector.Waiting
	lastLine time.Time
	tickets  map[string]connector.TicketState
	streams  map[string]runner.StreamResult
	bars     *mpb.Progress
	byName   map[string]*mpb.Bar
}

func (a *app) progress() *progress {
	p := &progress{app: a, tickets: map[string]connector.TicketState{}, streams: map[string]runner.StreamResult{}, byName: map[string]*mpb.Bar{}}
	if a.env.StderrTerminal && !a.json {
		p.bars = mpb.New(mpb.WithOutput(a.env.Stderr), mpb.WithWidth(60), mpb.WithAutoRefresh())
	}
	return p
}

// Watch takes one event of the engine.
func (p *progress) Watch(event runner.Event) {
	if p.app.json {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case event.Plan != nil:
		p.total = event.Plan.Records
		p.line(event.Time, true, "planned: %d of %d rows to send", p.total, event.Plan.SourceRows)
		p.draw("records", p.total, 0)
	case event.Outcomes != nil:
		p.settled = settled(event.Outcomes)
		p.line(event.Time, false, "%d of %d settled: %s", p.settled, p.total, outcomesText(event.Outcomes))
		p.draw("records", p.total, p.settled)
	case event.Progress != nil:
		p.progress(event.Time, *event.Progress)
	case event.Ticket != nil:
		// What the app is busy with is worth a line; a connector that journals
		// each record alone would fill the screen with the other steps.
		submitted := event.Ticket.State == connector.TicketSubmitted
		changed := submitted && p.tickets[event.Ticket.ID] != event.Ticket.State
		p.tickets[event.Ticket.ID] = event.Ticket.State
		if event.Ticket.State == connector.TicketDone {
			delete(p.tickets, event.Ticket.ID)
		}
		p.line(event.Time, changed, "work %s is %s", event.Ticket.ID, event.Ticket.State)
	case event.Stream != nil:
		p.stream(event.Time, *event.Stream)
	}
}

func (p *progress) progress(at time.Time, now connector.Progress) {
	changed := now.Waiting != p.waiting
	p.activity, p.waiting = now.Activity, now.Waiting
	text := strings.TrimPrefix(now.Stream+": "+now.Activity, ": ")
	if !now.Until.IsZero() {
		text += fmt.Sprintf(" until %s", now.Until.Local().Format("15:04:05"))
	}
	p.line(at, changed, "%s", text)
}

func (p *progress) stream(at time.Time, s runner.StreamResult) {
	before := p.streams[s.Stream]
	p.streams[s.Stream] = s
	p.line(at, s.Done != before.Done || (s.Error == nil) != (before.Error == nil), "%s", streamText(s))
	p.draw(s.Stream, 0, s.Counts.Rows)
}

// line writes a line unless bars are drawn: always at a change of state, else at
// most every lineEvery.
func (p *progress) line(at time.Time, changed bool, format string, args ...any) {
	if p.bars != nil || !changed && at.Sub(p.lastLine) < lineEvery {
		return
	}
	p.lastLine = at
	p.app.notice(format, args...)
}

// draw moves a bar. A total of 0 is unknown.
func (p *progress) draw(name string, total, current int64) {
	if p.bars == nil {
		return
	}
	bar := p.byName[name]
	if bar == nil {
		bar = p.bars.AddBar(total,
			mpb.PrependDecorators(decor.Name(name, decor.WC{W: 12, C: decor.DindentRight}), decor.CurrentNoUnit("%d")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.doing() })))
		p.byName[name] = bar
	}
	bar.SetCurrent(current)
}

// doing is what the bars say beside them.
func (p *progress) doing() string {
	if !p.mu.TryLock() { // the event that moves the bar holds the lock
		return ""
	}
	defer p.mu.Unlock()
	return " " + p.activity
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
