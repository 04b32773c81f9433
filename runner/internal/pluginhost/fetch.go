package pluginhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// maxRedirects bounds a chain of redirects; release pages need one or two.
const maxRedirects = 5

// Progress is told how much of a program has arrived; total is 0 when unknown.
type Progress func(done, total int64)

// open opens a source for reading and says how long it is, 0 when that is unknown.
func (s Source) open(ctx context.Context, to Shelf) (io.ReadCloser, int64, error) {
	if s.url != nil {
		return to.download(ctx, s.url)
	}
	if err := runnable(s.path); err != nil {
		return nil, 0, err
	}
	file, err := os.Open(s.path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no ordinary file", s.path)
	}
	if err == nil && info.Size() > to.MaxSize {
		err = to.tooLarge(s)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

func (s Shelf) tooLarge(source Source) error {
	return fmt.Errorf("%s is larger than %d bytes, which no connector is", source, s.MaxSize)
}

// errStalled ends a download that does not go on.
var errStalled = errors.New("the server sent nothing for a while")

func (s Shelf) download(ctx context.Context, from *url.URL) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stall := time.AfterFunc(s.Patience, func() { cancel(errStalled) })
	fail := func(err error) (io.ReadCloser, int64, error) {
		stall.Stop()
		cancel(nil)
		return nil, 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return fail(fmt.Errorf("the URL %s cannot be asked for", plainURL(from)))
	}
	request.Header.Set("Accept", "application/octet-stream, */*")
	answer, err := downloader().Do(request)
	if err != nil {
		return fail(fmt.Errorf("downloading %s: %w", plainURL(from), withoutURL(ctx, err)))
	}
	body := &slowReader{ReadCloser: answer.Body, stall: stall, wait: s.Patience, ctx: ctx, end: cancel}
	switch {
	case answer.StatusCode != http.StatusOK:
		err = fmt.Errorf("downloading %s: the server answered %s", plainURL(from), answer.Status)
	case answer.Header.Get("Content-Encoding") != "":
		err = fmt.Errorf("downloading %s: the server sent an encoding that was not asked for", plainURL(from))
	case answer.ContentLength > s.MaxSize:
		err = s.tooLarge(Source{url: from})
	}
	if err != nil {
		_ = body.Close() // the error says more
		return nil, 0, err
	}
	return body, max(answer.ContentLength, 0), nil
}

// downloader takes what comes as it comes: nothing is unpacked, so nothing can
// swell.
func downloader() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression, transport.DisableKeepAlives = true, true
	return &http.Client{Transport: transport, CheckRedirect: follow}
}

// follow follows a few redirects, none of them into the clear.
func follow(next *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("it was redirected more than %d times", maxRedirects)
	case via[0].URL.Scheme == "https" && next.URL.Scheme != "https":
		return fmt.Errorf("it was redirected from https to %s", plainURL(next.URL))
	}
	return allowedURL(next.URL)
}

// withoutURL drops the URL of a redirect, whose query may be a secret, from the
// error of a request.
func withoutURL(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// slowReader reads an answer and gives up when it does not go on.
type slowReader struct {
	io.ReadCloser
	stall *time.Timer
	wait  time.Duration
	ctx   context.Context // of the request, ended by stall
	end   context.CancelCauseFunc
}

func (r *slowReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.stall.Reset(r.wait)
	if err != nil && err != io.EOF {
		err = withoutURL(r.ctx, err)
	}
	return n, err
}

func (r *slowReader) Close() error {
	r.stall.Stop()
	err := r.ReadCloser.Close()
	r.end(nil)
	return err
}

// notAProgram says what is wrong with content that no system executes.
func notAProgram(head []byte) string {
	for _, program := range []string{"\x7fELF", "#!", "MZ", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"} {
		if bytes.HasPrefix(head, []byte(program)) {
			return ""
		}
	}
	for archive, name := range map[string]string{"\x1f\x8b": "gzip", "PK\x03\x04": "zip", "BZh": "bzip2", "\xfd7zXZ": "xz", "\x28\xb5\x2f\xfd": "zstd"} {
		if bytes.HasPrefix(head, []byte(archive)) {
			return "is a " + name + " archive; archives are not unpacked: unpack it, and install the program in it"
		}
	}
	if trimmed := bytes.TrimSpace(head); len(trimmed) > 0 && trimmed[0] == '<' {
		return "is a web page, not a program; give the address of the program itself"
	}
	return "is not a program that any known system executes"
}
