package egress

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// authTransport adds the token, and has it replaced once when the app says that
// it expired. A request that was refused so was not carried out, so any may be
// repeated.
type authTransport struct {
	next    http.RoundTripper
	tokens  TokenSource
	open    matcherSet
	expired func(*http.Response, []byte) bool

	mu      sync.Mutex
	flight  *flight // the call of Token going on
	refused string  // the value last invalidated
}

// flight is one call of Token that several requests wait for.
type flight struct {
	landed chan struct{}
	value  string
	err    error
}

// mintingKey marks the context of Token: its requests carry no token.
type mintingKey struct{}

func (t *authTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	minting := r.Context().Value(mintingKey{}) != nil
	if minting || t.open.fits(r) || strayed(r) || r.Header.Get("Authorization") != "" {
		return t.next.RoundTrip(r)
	}
	token, err := t.token(r.Context(), "")
	if err != nil {
		closeBody(r)
		return nil, unsentError{err}
	}
	resp, err := t.next.RoundTrip(withToken(r, token))
	if err != nil || !t.isExpired(resp) {
		return resp, err
	}
	again, ok := rewind(r)
	if !ok {
		return resp, nil
	}
	drain(resp)
	t.invalidate(r.Context(), token)
	if token, err = t.token(r.Context(), token); err != nil {
		closeBody(again)
		return nil, unsentError{err}
	}
	return t.next.RoundTrip(withToken(again, token))
}

// strayed reports whether redirects have led away from the first request's
// origin. Once away, a chain stays without the token, wherever it goes.
func strayed(r *http.Request) bool {
	for r.Response != nil {
		before := r.Response.Request
		if before == nil || !sameOrigin(before.URL, r.URL) {
			return true
		}
		r = before
	}
	return false
}

func withToken(r *http.Request, token string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", token)
	return r
}

// token asks the source, or waits for a question that is going on. Stale is a
// value that was refused.
func (t *authTransport) token(ctx context.Context, stale string) (string, error) {
	for {
		t.mu.Lock()
		f := t.flight
		if f == nil {
			f = &flight{landed: make(chan struct{})}
			t.flight = f
			t.mu.Unlock()
			t.fly(ctx, f)
			return f.value, f.err
		}
		t.mu.Unlock()
		select {
		case <-f.landed:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		// A question may have been asked before the value was invalidated, and
		// may have failed for want of the asker's own time.
		if f.err == nil && f.value != stale || f.err != nil && !ownTrouble(f.err) {
			return f.value, f.err
		}
	}
}

func (t *authTransport) fly(ctx context.Context, f *flight) {
	f.err = connector.Errorf(connector.ClassInternal, "TOKEN_SOURCE", "the token source did not return")
	defer func() {
		t.mu.Lock()
		t.flight = nil
		t.mu.Unlock()
		close(f.landed)
	}()
	f.value, f.err = t.tokens.Token(context.WithValue(ctx, mintingKey{}, true))
}

// ownTrouble reports whether an error concerns the asker alone.
func ownTrouble(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch connector.ClassOf(err) {
	case connector.ClassCancelled, connector.ClassRateLimited, connector.ClassQuotaExhausted:
		return true
	}
	return false
}

// invalidate tells the source of each refused value once.
func (t *authTransport) invalidate(ctx context.Context, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused != value {
		t.refused = value
		t.tokens.Invalidate(ctx, value)
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
