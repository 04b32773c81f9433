package crm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"
)

// maxAnswer bounds a JSON answer. The largest known is a page of 200 records with rich text.
const maxAnswer = 256 << 20

// Client calls Zoho CRM. It is safe for concurrent use and holds nothing that needs closing.
type Client struct {
	set settings
}

// New makes a client. It fails when options contradict each other, and does no network traffic.
func New(opts ...Option) (*Client, error) {
	c := &Client{}
	for _, o := range opts {
		o(&c.set)
	}
	if err := c.set.validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// request is one HTTP request before it is made.
type request struct {
	call        Call
	method      string
	url         string // without query
	query       url.Values
	header      http.Header
	contentType string
	body        *Body
}

// apiURL builds a URL below the API base, for instance crm/v8/org.
func (c *Client) apiURL(segments ...string) string {
	return c.join("crm/"+c.set.version, segments)
}

// bulkURL builds a URL below crm/bulk/v8.
func (c *Client) bulkURL(segments ...string) string {
	return c.join("crm/bulk/"+c.set.version, segments)
}

func (c *Client) join(prefix string, segments []string) string {
	var b strings.Builder
	b.WriteString(c.set.apiBase + "/" + prefix)
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// send makes the request and returns an answer of status 2xx or 304, with the body open. Everything else is an [*Error].
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	for tries := 0; ; tries++ {
		resp, token, err := c.attempt(ctx, r)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified {
			return resp, nil
		}
		failure := errorFromAnswer(r.call.Op, pathOf(r.url), resp)
		drain(resp)
		if tries > 0 || failure.Code != codeInvalidToken || !c.invalidate(token, r.body) {
			return nil, failure
		}
	}
}

const codeInvalidToken = "INVALID_TOKEN"

// invalidate reports a refused token to the token source. It returns whether another attempt makes sense.
func (c *Client) invalidate(token string, body *Body) bool {
	source, ok := c.set.tokens.(invalidator)
	if !ok || !body.replayable() {
		return false
	}
	source.Invalidate(token)
	return true
}

// invalidator is a token source that can be told that a token was refused.
type invalidator interface{ Invalidate(accessToken string) }

// contextTokens is a token source that obeys a context.
type contextTokens interface {
	TokenContext(context.Context) (*oauth2.Token, error)
}

// attempt sends the request once. It returns the access token used, if this client set one.
func (c *Client) attempt(ctx context.Context, r request) (*http.Response, string, error) {
	ctx = c.set.hook(ctx, r.call)
	token, err := c.accessToken(ctx)
	if err != nil {
		return nil, "", err
	}
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, done, err := c.build(ctx, r)
	if err != nil {
		return nil, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Zoho-oauthtoken "+token)
	}
	resp, err := c.set.httpClient.Do(req)
	if err == nil && r.body != nil && r.body.write != nil {
		err = hold(resp) // ending the producer may end the connection, and with it the answer
	}
	if bodyErr := done(); bodyErr != nil && err != nil {
		err = bodyErr // the source failed, and that is why the request did
	}
	if err != nil {
		return nil, "", transportError(r.call.Op, pathOf(r.url), err, !connected.Load())
	}
	return resp, token, nil
}

// hold reads the answer, so that it outlives its connection.
func hold(resp *http.Response) error {
	body, err := readAll(resp, maxErrorBody)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

func (c *Client) accessToken(ctx context.Context) (string, error) {
	if c.set.tokens == nil {
		return "", nil
	}
	var t *oauth2.Token
	var err error
	if s, ok := c.set.tokens.(contextTokens); ok {
		t, err = s.TokenContext(ctx)
	} else {
		t, err = c.set.tokens.Token()
	}
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return "", e
		}
		return "", &Error{Op: OpToken, Code: CodeTransport, Err: err, CreditsRemaining: -1, NotSent: true}
	}
	return t.AccessToken, nil
}

// build makes the http.Request. Done must be called after the exchange; it waits for the body's producer and returns
// its error.
func (c *Client) build(ctx context.Context, r request) (*http.Request, func() error, error) {
	target := r.url
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, nil)
	if err != nil {
		return nil, nil, argumentError(r.call.Op, "the request URL is not valid")
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", c.set.userAgent)
	req.Header.Set("Accept", "*/*")
	done := func() error { return nil }
	if r.body != nil {
		if r.contentType != "" {
			req.Header.Set("Content-Type", r.contentType)
		}
		if done, err = r.body.attach(req); err != nil {
			return nil, nil, &Error{Op: r.call.Op, Path: pathOf(r.url), Code: CodeInvalidArgument, Message: "the body cannot be read", Err: err, CreditsRemaining: -1, NotSent: true}
		}
	}
	return req, done, nil
}

// transportError wraps a failure without an answer. The URL that net/http puts into its errors is dropped: queries may
// hold record data.
func transportError(op Op, path string, err error, notSent bool) *Error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &Error{Op: op, Path: path, Code: CodeTransport, Err: err, CreditsRemaining: -1, NotSent: notSent}
}

// pathOf returns the path of a URL, for errors.
func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Path
}

// drain reads the rest of a small body, so that the connection can be used again, and closes it.
func drain(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
}

// fetch sends the request and returns the body of a JSON answer; nil when Zoho answered that there is nothing (204, 304).
// An error envelope in a 200 answer is an error.
func (c *Client) fetch(ctx context.Context, r request) ([]byte, int, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	defer drain(resp)
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		return nil, resp.StatusCode, nil
	}
	body, err := readAll(resp, maxAnswer)
	if err != nil {
		e := transportError(r.call.Op, pathOf(r.url), err, false)
		e.HTTPStatus = resp.StatusCode
		return nil, resp.StatusCode, e
	}
	if len(bytes.TrimSpace(body)) == 0 { // nothing is said with 204; silence must not pass for it
		return nil, resp.StatusCode, badAnswer(r, resp.StatusCode, io.ErrUnexpectedEOF)
	}
	return body, resp.StatusCode, nil
}

func readAll(resp *http.Response, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return body, err
}

// getJSON fetches and decodes into out. It reports false when the answer was empty.
func (c *Client) getJSON(ctx context.Context, r request, out any) (bool, error) {
	body, status, err := c.fetch(ctx, r)
	if err != nil || body == nil {
		return false, err
	}
	if e := errorInSuccess(r, status, body); e != nil {
		return false, e
	}
	if err := json.Unmarshal(body, out); err != nil {
		return false, badAnswer(r, status, err)
	}
	return true, nil
}

// errorInSuccess finds an error envelope in a body that came with a success status.
func errorInSuccess(r request, status int, body []byte) *Error {
	var probe struct {
		Status flexString `json:"status"`
		Error  flexString `json:"error"`
	}
	if json.Unmarshal(body, &probe) != nil || (!strings.EqualFold(string(probe.Status), "error") && probe.Error == "") {
		return nil
	}
	return errorFromBody(r.call.Op, pathOf(r.url), status, http.Header{}, body)
}

func badAnswer(r request, status int, err error) *Error {
	return &Error{Op: r.call.Op, Path: pathOf(r.url), HTTPStatus: status, Code: CodeBadAnswer, Err: withoutContent(err), CreditsRemaining: -1}
}

// withoutContent keeps the kind and place of a JSON error and drops the text around it.
func withoutContent(err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("invalid JSON at byte %d", e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("unexpected type of %q at byte %d", e.Field, e.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return errors.New("invalid JSON")
}

// mayReceiveToken reports whether a host that Zoho named may be sent the token.
func (c *Client) mayReceiveToken(host string) bool {
	host = strings.ToLower(host)
	for _, base := range []string{c.set.apiBase, c.set.uploadBase} {
		if u, err := url.Parse(base); err == nil && strings.EqualFold(u.Host, host) {
			return true
		}
	}
	return slices.Contains(Hosts(c.set.dc, c.set.env), host) || slices.ContainsFunc(c.set.downloadHosts, func(h string) bool {
		return strings.EqualFold(h, host)
	})
}
