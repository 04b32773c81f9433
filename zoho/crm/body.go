package crm

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// Body is the content of an upload. Make one with [BytesBody], [SeekerBody], [ReaderBody] or [FuncBody].
type Body struct {
	seeker io.ReadSeeker
	reader io.Reader
	write  func(io.Writer) error
	used   *atomic.Bool // reader was handed out

	prefix, suffix []byte // around the content: the multipart frame

	turn *turn // guards seeker
}

// turn lets only the newest reading of a seeker proceed: net/http may still be sending a body whose answer has already
// come, while the next attempt rewinds it.
type turn struct {
	mu      sync.Mutex
	current int
}

// BytesBody is content held in memory.
func BytesBody(b []byte) *Body { return SeekerBody(bytes.NewReader(b)) }

// SeekerBody is content that can be read again, usually a file. Its length is sent ahead, which some gateways require, and
// a request with it can be repeated. It is read from its beginning and must not be used by others meanwhile.
func SeekerBody(r io.ReadSeeker) *Body { return &Body{seeker: r, turn: &turn{}} }

// ReaderBody is content that can be read once; a request with it is never repeated. Its length is not sent.
func ReaderBody(r io.Reader) *Body { return &Body{reader: r, used: new(atomic.Bool)} }

// FuncBody is content that f writes. F is called again when the request is repeated, so it must write the same again. Its
// length is not sent. A [ZipWriter] inside f streams rows straight into the request.
func FuncBody(f func(io.Writer) error) *Body { return &Body{write: f} }

var errBodyUsed = errors.New("the content can be read only once")

// empty reports whether b has no content at all: nil, or a zero value.
func (b *Body) empty() bool {
	return b == nil || (b.seeker == nil && b.reader == nil && b.write == nil)
}

func (b *Body) replayable() bool { return b == nil || b.reader == nil }

// framed returns the same content between prefix and suffix.
func (b *Body) framed(prefix, suffix []byte) *Body {
	c := *b
	c.prefix, c.suffix = prefix, suffix
	return &c
}

// size returns the length of the content without its frame, -1 when unknown.
func (b *Body) size() (int64, error) {
	if b.seeker == nil {
		return -1, nil
	}
	b.turn.mu.Lock()
	defer b.turn.mu.Unlock()
	b.turn.current++
	return b.seeker.Seek(0, io.SeekEnd)
}

// attach makes b the body of req. The function it returns waits for the producer, if there is one, and returns its error.
func (b *Body) attach(req *http.Request) (func() error, error) {
	none := func() error { return nil }
	switch {
	case b.seeker != nil:
		n, err := b.size()
		if err != nil {
			return none, err
		}
		req.ContentLength = n + int64(len(b.prefix)+len(b.suffix))
		req.GetBody = func() (io.ReadCloser, error) {
			if err := b.rewind(); err != nil {
				return nil, err
			}
			return b.frameOnce(), nil
		}
		req.Body, err = req.GetBody()
		return none, err
	case b.reader != nil:
		if b.used.Swap(true) {
			return none, errBodyUsed
		}
		req.Body, req.ContentLength = io.NopCloser(b.frame(b.reader)), -1
		return none, nil
	default:
		p := &producers{body: b}
		req.GetBody, req.ContentLength = p.start, -1
		body, err := p.start()
		req.Body = body
		return p.wait, err
	}
}

func (b *Body) frame(content io.Reader) io.Reader {
	return io.MultiReader(bytes.NewReader(b.prefix), content, bytes.NewReader(b.suffix))
}

// rewind starts a new turn at the beginning of the content.
func (b *Body) rewind() error {
	b.turn.mu.Lock()
	defer b.turn.mu.Unlock()
	b.turn.current++
	_, err := b.seeker.Seek(0, io.SeekStart)
	return err
}

func (b *Body) frameOnce() io.ReadCloser {
	b.turn.mu.Lock()
	defer b.turn.mu.Unlock()
	return io.NopCloser(b.frame(&turnReader{body: b, mine: b.turn.current}))
}

type turnReader struct {
	body *Body
	mine int
}

func (r *turnReader) Read(p []byte) (int, error) {
	t := r.body.turn
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != r.mine {
		return 0, errExchangeOver
	}
	return r.body.seeker.Read(p)
}
