package cli

import (
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// transfer shows how much of a program has arrived: a bar on a terminal, a line
// elsewhere, nothing with --json.
type transfer struct {
	bars *mpb.Progress
	bar  *mpb.Bar
}

func (a *app) transfer(from string) *transfer {
	t := &transfer{}
	switch {
	case a.json:
	case a.env.StderrTerminal:
		t.bars = mpb.New(mpb.WithOutput(a.env.Stderr), mpb.WithWidth(60))
		t.bar = t.bars.AddBar(0, mpb.PrependDecorators(decor.Name(from+" "), decor.CurrentKibiByte("% .1f")))
	default:
		a.notice("getting %s", from)
	}
	return t
}

// tell takes how much has arrived.
func (t *transfer) tell(done, total int64) {
	if t.bar == nil {
		return
	}
	t.bar.SetTotal(total, false)
	t.bar.SetCurrent(done)
}

// end ends the bar and waits until it is drawn.
func (t *transfer) end() {
	if t.bar == nil {
		return
	}
	t.bar.SetTotal(-1, true)
	t.bars.Wait()
}
