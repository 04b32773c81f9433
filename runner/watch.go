package runner

import (
	"maps"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// show hands an event to the watcher, if there is one.
func (w *work) show(event Event) {
	w.mu.Lock()
	w.heard = w.engine.now()
	w.mu.Unlock()
	if w.engine.watcher == nil {
		return
	}
	event.Time, event.RunID, event.Sync = w.engine.now(), w.run.ID, w.sync.Name
	w.engine.watcher.Watch(event)
}

// due reports whether it is time to show something of a kind again.
func (w *work) due(kind string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if last, ok := w.shown[kind]; ok && now.Sub(last) < showEvery {
		return false
	}
	w.shown[kind] = now
	return true
}

func (w *work) progress(p connector.Progress) {
	if w.due("progress " + p.Stream + string(p.Waiting)) {
		w.show(Event{Progress: &p})
	}
}

func (w *work) showOutcomes() {
	if !w.due("outcomes") {
		return
	}
	w.mu.Lock()
	outcomes := maps.Clone(w.run.Outcomes)
	w.mu.Unlock()
	w.show(Event{Outcomes: outcomes})
}

func (w *work) showStream(result StreamResult) {
	if result.Done || result.Error != nil || w.due("stream "+result.Stream) {
		w.show(Event{Stream: &result})
	}
}
