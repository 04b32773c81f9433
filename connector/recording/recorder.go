package recording

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Recorder writes the exchanges of a connector with its app into a folder, each
// without its secrets when it is over. It is safe for concurrent use.
type Recorder struct {
	*Redactor

	mu   sync.Mutex
	file *os.File
	next int64
}

// NewRecorder returns a recorder that appends to what is in the folder. The
// caller closes it.
func NewRecorder(folder string) (*Recorder, error) {
	file, err := os.OpenFile(filepath.Join(folder, exchangesLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	// Numbers go on rising when another process of the connector goes on.
	return &Recorder{Redactor: NewRedactor(), file: file, next: time.Now().UnixNano()}, nil
}

// Close ends the recording.
func (r *Recorder) Close() error { return r.file.Close() }

// Tap listens to requests on their way; it is an [egress.Tap]. Bodies are held
// in memory while they pass, up to 32 MiB each; a larger one fails its request,
// since a recording with a gap is of no use.
func (r *Recorder) Tap(next http.RoundTripper) http.RoundTripper {
	return listener{recorder: r, next: next}
}

type listener struct {
	recorder *Recorder
	next     http.RoundTripper
}

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	l.recorder.mu.Lock()
	l.recorder.next++
	number := l.recorder.next
	l.recorder.mu.Unlock()
	sent, err := hold(&r, l.recorder.largest)
	if err != nil {
		return nil, err
	}
	resp, err := l.next.RoundTrip(r)
	x := Exchange{Number: number, Failure: failure(err)}
	var received []byte
	if resp != nil {
		var broken error
		if received, broken, err = holdAnswer(resp, l.recorder.largest); err != nil {
			return nil, err
		}
		x.Failure = failure(broken)
	}
	if noted := l.recorder.note(x, r, sent, resp, received); noted != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return nil, noted
	}
	return resp, err
}

// hold reads the body of a request and puts a copy in its place.
func hold(r **http.Request, most int64) ([]byte, error) {
	if (*r).Body == nil || (*r).Body == http.NoBody {
		return nil, nil
	}
	content, err := readAll((*r).Body, most)
	if e := (*r).Body.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	copied := (*r).Clone((*r).Context())
	copied.Body = io.NopCloser(bytes.NewReader(content))
	*r = copied
	return content, nil
}

// holdAnswer reads the body of an answer and puts a copy in its place. Broken is
// why it ended early; the copy ends in the same way.
func holdAnswer(resp *http.Response, most int64) (content []byte, broken, err error) {
	content, broken = readAll(resp.Body, most)
	_ = resp.Body.Close() // read to its end, or broken
	if e := (*connector.Error)(nil); errors.As(broken, &e) {
		return nil, nil, broken
	}
	var body io.Reader = bytes.NewReader(content)
	if broken != nil {
		body = io.MultiReader(body, failing{broken})
	}
	resp.Body = io.NopCloser(body)
	return content, broken, nil
}

func readAll(from io.Reader, most int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(content)) > most {
		err = connector.Errorf(connector.ClassConfig, "TOO_LARGE_TO_RECORD", "a body of more than %d bytes cannot be recorded: record a sync of fewer records", most)
	}
	return content, err
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// The kinds of failure.
const (
	failureDial    = "dial"
	failureTimeout = "timeout"
	failureNetwork = "network"
)

func failure(err error) string {
	var op *net.OpError
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &op) && op.Op == "dial":
		return failureDial
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return failureTimeout
	}
	return failureNetwork
}

// note writes an exchange down.
func (r *Recorder) note(x Exchange, sent *http.Request, sentBody []byte, got *http.Response, gotBody []byte) error {
	var err error
	// The request first: an answer may repeat what it holds.
	if x.Request, err = r.request(sent, sentBody); err != nil {
		return unrecorded(err)
	}
	if got != nil {
		if x.Response, err = r.response(got, gotBody); err != nil {
			return unrecorded(err)
		}
	}
	line, err := marshal(x)
	if err != nil {
		return unrecorded(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.file.Write(append(line, '\n')); err != nil {
		return unrecorded(err)
	}
	return nil
}

func unrecorded(err error) error {
	return connector.Errorf(connector.ClassInternal, "NOT_RECORDED", "an exchange with the app could not be recorded: %w", err)
}

func (r *Redactor) request(sent *http.Request, content []byte) (Request, error) {
	header := r.Header(sent.Header)
	body, err := r.TakeApart(sent.Header.Get("Content-Type"), content)
	if body != nil && body.Parts != nil {
		header.Set("Content-Type", "multipart/form-data") // its boundary is another every time
	}
	method := sent.Method
	if method == "" {
		method = http.MethodGet
	}
	return Request{Method: method, URL: r.URL(sent.URL), Header: header, Body: body}, err
}

func (r *Redactor) response(got *http.Response, content []byte) (*Response, error) {
	header := r.Header(got.Header)
	if got.Header.Get("Content-Encoding") == "gzip" {
		if plain, err := gunzip(content, r.largest); err == nil {
			content = plain
			header.Del("Content-Encoding")
		}
	}
	body, err := r.TakeApart(got.Header.Get("Content-Type"), content)
	return &Response{Status: got.StatusCode, Header: header, Body: body}, err
}

func gunzip(content []byte, most int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return readAll(z, most)
}
