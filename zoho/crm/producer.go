package crm

import (
	"errors"
	"io"
	"sync"
)

// producers runs the function of a [FuncBody], once for each time the body is asked for, each in a goroutine that ends
// with the pipe. Wait ends them all.
type producers struct {
	body *Body

	mu      sync.Mutex
	wg      sync.WaitGroup
	readers []*io.PipeReader
	err     error
}

var errExchangeOver = errors.New("the exchange is over")

func (p *producers) start() (io.ReadCloser, error) {
	r, w := io.Pipe()
	p.mu.Lock()
	p.readers = append(p.readers, r)
	p.mu.Unlock()
	p.wg.Go(func() {
		err := p.produce(w)
		_ = w.CloseWithError(err)
		if err != nil && !errors.Is(err, errExchangeOver) && !errors.Is(err, io.ErrClosedPipe) {
			p.mu.Lock()
			p.err = errors.Join(p.err, err)
			p.mu.Unlock()
		}
	})
	return r, nil
}

func (p *producers) produce(w io.Writer) error {
	if _, err := w.Write(p.body.prefix); err != nil {
		return err
	}
	if err := p.body.write(w); err != nil {
		return err
	}
	_, err := w.Write(p.body.suffix)
	return err
}

// wait ends producers that are still writing, which happens when Zoho answers before it has read everything, and
// returns their own errors.
func (p *producers) wait() error {
	p.mu.Lock()
	for _, r := range p.readers {
		_ = r.CloseWithError(errExchangeOver)
	}
	p.mu.Unlock()
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
