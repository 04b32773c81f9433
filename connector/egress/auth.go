package egress

import (
	"context"
	"net/http"
)

// authTransport adds the token, and refreshes it once when the app says that it
// expired.
type authTransport struct {
	next    http.RoundTripper
	tokens  TokenSource
	turn    chan struct{} // one goroutine at a time asks for a token
	open    matcherSet
	expired func(*http.Response, []byte) bool
}

func (t *authTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.open.fits(r) || strayed(r) {
		return t.next.RoundTrip(r)
	}
	token, err := t.token(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := t.next.RoundTrip(withToken(r, token))
	if err != nil || !t.isExpired(resp) {
		return resp, err
	}
	again, ok := rewind(r)
	if !ok {
		return resp, nil
	}
	resp.Body.Close()
	t.tokens.Invalidate(r.Context(), token)
	if token, err = t.token(r.Context()); err != nil {
		closeBody(again)
		return nil, err
	}
	return t.next.RoundTrip(withToken(again, token))
}

// strayed reports whether a redirect led to another host, which is not to see
// the token.
func strayed(r *http.Request) bool {
	return r.Response != nil && (r.Response.Request == nil || r.Response.Request.URL.Host != r.URL.Host)
}

func withToken(r *http.Request, token string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", token)
	return r
}

func (t *authTransport) token(ctx context.Context) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
		return t.tokens.Token(ctx)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (t *authTransport) isExpired(resp *http.Response) bool {
	if t.expired == nil {
		return resp.StatusCode == http.StatusUnauthorized
	}
	if resp.StatusCode < 400 {
		return false
	}
	return t.expired(resp, peek(resp))
}
