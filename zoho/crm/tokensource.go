package crm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// earlyExpiry is how long before its end an access token is no longer used: a request may wait in a queue below.
const earlyExpiry = 2 * time.Minute

// refreshTimeout bounds a refresh that has no context of its own ([TokenSource.Token]).
const refreshTimeout = 30 * time.Second

// TokenCache shares the access token of one grant among processes. Zoho limits the tokens per grant, so ten processes that
// each refresh alone lock one another out. Implementations must be safe for concurrent use and must treat the
// token as a secret. One cache serves one grant.
type TokenCache interface {
	// Load returns the stored token; false when there is none.
	Load(ctx context.Context) (Token, bool, error)
	// Store replaces the stored token.
	Store(ctx context.Context, t Token) error
}

// TokenSource supplies access tokens of one grant, refreshing them two minutes before they expire. However many callers
// wait, one refresh is in flight, and all of them share its result or its error. It is an oauth2.TokenSource and is
// safe for concurrent use.
type TokenSource struct {
	oauth OAuth
	cache TokenCache
	now   func() time.Time

	// lock holds one token and guards everything below. It is a channel so that waiting obeys a context.
	lock    chan struct{}
	token   Token
	refused string        // the access token Zoho refused last
	tries   atomic.Uint64 // refreshes so far; written under the lock, read before waiting for it
	lastErr error         // of the last refresh
}

var _ oauth2.TokenSource = (*TokenSource)(nil)

// TokenSource returns a source that starts with t, whose RefreshToken is required, and shares tokens through cache. A nil
// cache shares nothing.
func (o OAuth) TokenSource(t Token, cache TokenCache) *TokenSource {
	return &TokenSource{oauth: o, cache: cache, now: time.Now, lock: make(chan struct{}, 1), token: t}
}

// Token is [TokenSource.Current] in the form oauth2 wants, bounded by 30 seconds.
func (s *TokenSource) Token() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	return s.TokenContext(ctx)
}

// TokenContext is Token with a context.
func (s *TokenSource) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	t, err := s.Current(ctx)
	if err != nil {
		return nil, err
	}
	return t.OAuth2(), nil
}

// Current returns a token good for at least two minutes, refreshing it when needed. Errors are [*Error], of class auth when
// the user must authorise again.
func (s *TokenSource) Current(ctx context.Context) (Token, error) {
	seen, err := s.acquire(ctx)
	if err != nil {
		return Token{}, err
	}
	defer func() { <-s.lock }()
	if s.good(s.token) {
		return s.token, nil
	}
	if s.tries.Load() != seen && s.lastErr != nil {
		return Token{}, s.lastErr // somebody tried while this caller waited
	}
	t, err := s.renew(ctx)
	if ctx.Err() == nil { // a cancelled caller's failure is its own
		s.lastErr = err
		s.tries.Add(1)
	}
	if err != nil {
		return Token{}, err
	}
	s.token = t
	return t, nil
}

// acquire takes the lock. Seen is the number of refreshes at the time the caller began to wait.
func (s *TokenSource) acquire(ctx context.Context) (seen uint64, err error) {
	seen = s.tries.Load()
	select {
	case s.lock <- struct{}{}:
		return seen, nil
	case <-ctx.Done():
		return 0, &Error{Op: OpToken, Code: CodeTransport, Err: ctx.Err(), CreditsRemaining: -1, NotSent: true}
	}
}

func (s *TokenSource) good(t Token) bool {
	if t.AccessToken == "" || t.AccessToken == s.refused {
		return false
	}
	return t.Expiry.IsZero() || t.Expiry.Sub(s.now()) > earlyExpiry
}

// renew takes another process's token from the cache if it is good, and else refreshes.
func (s *TokenSource) renew(ctx context.Context) (Token, error) {
	if s.cache != nil {
		t, ok, err := s.cache.Load(ctx)
		if err != nil {
			return Token{}, &Error{Op: OpToken, Code: CodeTransport, Err: fmt.Errorf("reading the token cache: %w", err), CreditsRemaining: -1, NotSent: true}
		}
		if ok && s.good(t) {
			if t.RefreshToken == "" {
				t.RefreshToken = s.token.RefreshToken
			}
			return t, nil
		}
	}
	if s.token.RefreshToken == "" {
		return Token{}, &Error{Op: OpToken, Code: "INVALID_CODE", Err: errors.New("there is no refresh token"), CreditsRemaining: -1, NotSent: true}
	}
	t, err := s.oauth.Refresh(ctx, s.token.RefreshToken)
	if err != nil {
		return Token{}, err
	}
	if t.APIDomain == "" {
		t.APIDomain = s.token.APIDomain
	}
	if s.cache != nil {
		if err := s.cache.Store(ctx, t); err != nil {
			return Token{}, &Error{Op: OpToken, Code: CodeTransport, Err: fmt.Errorf("writing the token cache: %w", err), CreditsRemaining: -1, NotSent: true}
		}
	}
	return t, nil
}

// Invalidate says that Zoho refused an access token. The next caller gets another one. Invalidating a token that has
// already been replaced does nothing, so several workers may report the same one.
func (s *TokenSource) Invalidate(accessToken string) {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if accessToken != "" && accessToken == s.token.AccessToken {
		s.refused = accessToken
	}
}
