package crm

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
)

// maxEntries bounds the files in a result zip. A read job makes one; a write job one per CSV uploaded.
const maxEntries = 64

// A zip may inflate to maxRatio times its size, beyond a first freeBytes that may inflate as they like. Rows of empty
// cells under distinct ids stay below 50.
const (
	maxRatio  = 400
	freeBytes = 64 << 20
)

// archive is a downloaded result zip. Closing it removes the file.
type archive struct {
	file  *os.File
	size  int64
	zip   *zip.Reader
	op    Op
	path  string
	bound atomic.Int64 // bytes that all entries together may inflate to
}

// resultURL makes a download_url absolute. Zoho gives some absolute, some as a path.
func (c *Client) resultURL(op Op, raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "", &Error{Op: op, Code: CodeJobNotComplete, Message: "the job names no result", CreditsRemaining: -1, NotSent: true}
	case err != nil:
		return "", &Error{Op: op, Code: CodeBadAnswer, Message: "the download URL is not a URL", CreditsRemaining: -1, NotSent: true}
	case u.Scheme == "" && !strings.Contains(strings.SplitN(strings.TrimLeft(raw, "/"), "/", 2)[0], "."):
		return c.set.apiBase + "/" + strings.TrimLeft(raw, "/"), nil
	case u.Scheme == "" && strings.HasPrefix(raw, "//"):
		u.Scheme = "https"
	case u.Scheme == "":
		return c.set.apiBase + "/" + strings.TrimLeft(raw, "/"), nil
	}
	if u.Host == "" || u.User != nil || (u.Scheme != "https" && !strings.HasPrefix(c.set.apiBase, u.Scheme+"://")) {
		return "", &Error{Op: op, Code: CodeUntrustedHost, Message: "the download URL is not plain https", CreditsRemaining: -1, NotSent: true}
	}
	if c.set.tokens != nil && !c.mayReceiveToken(u.Host) {
		return "", &Error{Op: op, Path: u.Path, Code: CodeUntrustedHost, Message: "host " + u.Host, CreditsRemaining: -1, NotSent: true}
	}
	return u.String(), nil
}

// download fetches a result zip into a temporary file. A torn download is an error of class transient; call again.
func (c *Client) download(ctx context.Context, op Op, target string) (*archive, error) {
	base, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, &Error{Op: op, Path: pathOf(base), Code: CodeBadAnswer, Message: "the download URL is not a URL", CreditsRemaining: -1, NotSent: true}
	}
	r := request{call: newCall(op, "", 0, true), method: http.MethodGet, url: base, query: values}
	if op == OpBulkWriteResult && c.set.orgID != "" { // whether the download hosts want it, as the upload hosts do, is not documented
		r.header = http.Header{"Feature": {"bulk-write"}, "X-Crm-Org": {c.set.orgID}}
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	a := &archive{op: op, path: pathOf(base)}
	if resp.ContentLength > c.set.maxDownload {
		return nil, a.fail(CodeDownloadLimit, fmt.Errorf("the file has %d bytes, the bound is %d", resp.ContentLength, c.set.maxDownload))
	}
	if a.file, err = os.CreateTemp(c.set.tempDir, "zoho-crm-*.zip"); err != nil {
		return nil, fmt.Errorf("zoho crm: %s: creating a temporary file: %w", op, err)
	}
	if err := a.fill(resp.Body, c.set.maxDownload, c.set.maxInflated); err != nil {
		return nil, a.discard(err)
	}
	return a, nil
}

func (a *archive) fill(body io.Reader, maxZip, maxInflated int64) error {
	in := &sourceError{r: io.LimitReader(body, maxZip+1)}
	n, err := io.Copy(a.file, in)
	switch {
	case in.err != nil:
		return transportError(a.op, a.path, fmt.Errorf("after %d bytes: %w", n, in.err), false)
	case err != nil:
		return fmt.Errorf("zoho crm: %s: writing a temporary file: %w", a.op, err)
	case n > maxZip:
		return a.fail(CodeDownloadLimit, fmt.Errorf("the file has more than %d bytes", maxZip))
	}
	a.size = n
	a.bound.Store(min(maxInflated, max(freeBytes, n*maxRatio)))
	if a.zip, err = zip.NewReader(a.file, n); err != nil {
		return a.notZip(err)
	}
	if len(a.zip.File) > maxEntries {
		return a.fail(CodeBadArchive, fmt.Errorf("the zip has %d entries", len(a.zip.File)))
	}
	a.zip.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser { return flate.NewReader(r) })
	return nil
}

// notZip looks for an error in a body that came with status 200 and is no zip.
func (a *archive) notZip(cause error) error {
	head := make([]byte, min(a.size, maxErrorBody))
	if _, err := a.file.ReadAt(head, 0); err == nil || errors.Is(err, io.EOF) {
		if code, message, details, ok := decodeEnvelope(head); ok {
			return &Error{Op: a.op, Path: a.path, HTTPStatus: http.StatusOK, Code: code, Message: message, Details: details, CreditsRemaining: -1}
		}
	}
	return a.fail(CodeBadArchive, cause)
}

func (a *archive) fail(code string, cause error) *Error {
	return &Error{Op: a.op, Path: a.path, Code: code, Err: cause, CreditsRemaining: -1, HTTPStatus: http.StatusOK}
}

// tables returns the CSV entries, or the only entry when none is named as a CSV.
func (a *archive) tables() []*zip.File {
	var named, all []*zip.File
	for _, f := range a.zip.File {
		lower := strings.ToLower(f.Name)
		if f.FileInfo().IsDir() || strings.HasPrefix(f.Name, "__MACOSX/") || strings.HasSuffix(lower, ".ics") {
			continue
		}
		all = append(all, f)
		if strings.HasSuffix(lower, ".csv") {
			named = append(named, f)
		}
	}
	if len(named) == 0 && len(all) == 1 {
		return all
	}
	return named
}

// discard closes the archive after a failure and returns the failure.
func (a *archive) discard(failure error) error {
	if err := a.Close(); err != nil {
		return errors.Join(failure, err)
	}
	return failure
}

// Close removes the temporary file. It may be called more than once.
func (a *archive) Close() error {
	if a.file == nil {
		return nil
	}
	name := a.file.Name()
	err := errors.Join(a.file.Close(), os.Remove(name))
	a.file = nil
	return err
}

// sourceError remembers a reader's own error, to tell it from the writer's.
type sourceError struct {
	r   io.Reader
	err error
}

func (s *sourceError) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
