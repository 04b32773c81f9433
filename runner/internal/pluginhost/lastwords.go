package pluginhost

import "sync"

// lastWordsSize is how much of what a connector writes to stderr is kept: enough
// for a panic with its goroutines.
const lastWordsSize = 64 << 10

// lastWords is a writer that keeps the end of what was written to it.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

// Write takes everything.
func (w *lastWords) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text...)
	if len(w.text) > 2*lastWordsSize { // seldom, so that keeping is cheap
		w.text = append(w.text[:0:0], w.text[len(w.text)-lastWordsSize:]...)
	}
	return len(text), nil
}

// String returns the last 64 KiB at most.
func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text[max(0, len(w.text)-lastWordsSize):])
}
