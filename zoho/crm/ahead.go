package crm

import (
	"io"
	"sync"
)

// ahead reads another reader in the background, a few buffers ahead of its own reader, so that one part of a file is inflated
// while the part before it is parsed: each takes about as long as the other.
type ahead struct {
	parts  chan part   // closed after the last
	spare  chan []byte // buffers that may be filled
	closed chan struct{}
	stop   sync.Once

	now  part // what is being read
	rest []byte
}

// part is a buffer and the error met while it was filled.
type part struct {
	buf []byte
	err error
}

// aheadBuffers are filled at most, of csvRead bytes each.
const aheadBuffers = 4

// newAhead begins to read r. The caller closes what is returned, after which r is no longer read.
func newAhead(r io.Reader) *ahead {
	a := &ahead{parts: make(chan part, aheadBuffers), spare: make(chan []byte, aheadBuffers), closed: make(chan struct{})}
	for range aheadBuffers {
		a.spare <- nil // made when it is needed: most reports are small
	}
	go a.fill(r)
	return a
}

func (a *ahead) fill(r io.Reader) {
	defer close(a.parts)
	for {
		var buf []byte
		select {
		case buf = <-a.spare:
		case <-a.closed:
			return
		}
		if buf == nil {
			buf = make([]byte, csvRead)
		}
		n, err := r.Read(buf[:cap(buf)])
		a.parts <- part{buf[:n], err} // has room for all buffers
		if err != nil {
			return
		}
	}
}

// Read implements [io.Reader].
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.buf != nil {
			a.spare <- a.now.buf // has room for all buffers
		}
		next, ok := <-a.parts
		if !ok {
			return 0, io.ErrClosedPipe // it was closed
		}
		a.now, a.rest = next, next.buf
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// Close waits until the other reader is no longer read. It may be called more than once.
func (a *ahead) Close() {
	a.stop.Do(func() { close(a.closed) })
	for range a.parts {
	}
}
