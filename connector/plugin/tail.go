package plugin

import (
	"bytes"
	"io"
	"sync"
)

// tail passes writes on and remembers the last line.
type tail struct {
	next io.Writer

	mu   sync.Mutex
	line []byte
}

// maxLine bounds what is remembered of a line.
const maxLine = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	for _, line := range bytes.Split(p, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			t.line = append(t.line[:0], line[:min(len(line), maxLine)]...)
		}
	}
	t.mu.Unlock()
	if t.next == nil {
		return len(p), nil
	}
	return t.next.Write(p)
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.line)
}
