package zohosim

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// auth is the accounts server's memory: one client, its grants and tokens.
type auth struct {
	mu        sync.Mutex
	clientID  string
	secret    string
	first     string // the built-in refresh token
	codes     map[string]*grant
	refresh   map[string]*refreshToken
	order     []*refreshToken // oldest first
	access    map[string]*accessToken
	created   []time.Time // refresh tokens created lately
	consented bool
	orgTokens *refreshToken // stands in for client credentials
}

// grant is a code waiting to be exchanged.
type grant struct {
	scopes      []string
	redirect    string // empty: self client
	offline     bool
	withRefresh bool
	expires     time.Time
}

type refreshToken struct {
	value  string
	scopes []string
	mints  []time.Time
	active []*accessToken
}

type accessToken struct {
	value   string
	scopes  []string
	expires time.Time
}

// limits of the accounts server, after Zoho's token limits page.
const (
	mintsPerWindow   = 10
	mintWindow       = 10 * time.Minute
	maxRefreshTokens = 20
	refreshPerMinute = 5
)

func newAuth(c *Config) *auth {
	a := &auth{codes: map[string]*grant{}, refresh: map[string]*refreshToken{}, access: map[string]*accessToken{}}
	a.clientID = defaulted(c.ClientID, "1000."+strings.ToUpper(randomHex(15)))
	a.secret = defaulted(c.ClientSecret, randomHex(21))
	a.first = defaulted(c.RefreshToken, newToken())
	a.orgTokens = &refreshToken{}
	a.keep(&refreshToken{value: a.first, scopes: splitScopes(DefaultScopes)})
	return a
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, says crypto/rand
	return hex.EncodeToString(b)
}

func newToken() string { return "1000." + randomHex(16) + "." + randomHex(16) }

// keep adds a refresh token; the 21st silently deletes the oldest.
func (a *auth) keep(t *refreshToken) {
	a.refresh[t.value] = t
	a.order = append(a.order, t)
	if len(a.order) > maxRefreshTokens {
		a.drop(a.order[0])
	}
}

// drop deletes a refresh token with its access tokens.
func (a *auth) drop(t *refreshToken) {
	delete(a.refresh, t.value)
	a.order = slices.DeleteFunc(a.order, func(o *refreshToken) bool { return o == t })
	for _, at := range t.active {
		delete(a.access, at.value)
	}
	t.active = nil
}

// mint makes an access token, invalidating the oldest beyond the allowed number.
func (a *auth) mint(t *refreshToken, scopes []string, now time.Time, c *Config) *accessToken {
	at := &accessToken{value: newToken(), scopes: scopes, expires: now.Add(c.TokenLifetime)}
	a.access[at.value] = at
	t.active = append(t.active, at)
	for len(t.active) > c.MaxActiveTokens {
		delete(a.access, t.active[0].value)
		t.active = t.active[1:]
	}
	return at
}

// throttled counts a mint against the ten in ten minutes.
func (t *refreshToken) throttled(now time.Time) bool {
	t.mints = slices.DeleteFunc(t.mints, func(m time.Time) bool { return now.Sub(m) >= mintWindow })
	if len(t.mints) >= mintsPerWindow {
		return true
	}
	t.mints = append(t.mints, now)
	return false
}

// check authenticates an API call. Zoho-oauthtoken and Bearer are both accepted.
func (a *auth) check(r *http.Request, now time.Time) (*accessToken, *apiError) {
	kind, value, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(kind, "Zoho-oauthtoken") && !strings.EqualFold(kind, "Bearer") {
		return nil, errNoAuth()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.access[strings.TrimSpace(value)]
	if t == nil || !now.Before(t.expires) {
		return nil, errInvalidToken()
	}
	return t, nil
}

func (t *accessToken) allows(n need) bool { return slices.ContainsFunc(t.scopes, n.covers) }

// revokeAccess ends the access token a request carries, for the fault of that name.
func (a *auth) revokeAccess(r *http.Request) {
	_, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.access, strings.TrimSpace(value))
}

// ClientID is the id of the one registered OAuth client.
func (s *Sim) ClientID() string { return s.auth.clientID }

// ClientSecret is that client's secret.
func (s *Sim) ClientSecret() string { return s.auth.secret }

// RefreshToken is the built-in refresh token, carrying DefaultScopes.
func (s *Sim) RefreshToken() string { return s.auth.first }

// NewGrantCode makes a grant code as the API console does for a self client: single use, no redirect URI, and its
// exchange returns a refresh token. Scopes are separated by commas or spaces; empty means DefaultScopes.
func (s *Sim) NewGrantCode(scopes string) string {
	c := s.conf.Load()
	code := newToken()
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.codes[code] = &grant{scopes: splitScopes(defaulted(scopes, DefaultScopes)), offline: true, withRefresh: true,
		expires: s.Now().Add(c.GrantLifetime)}
	return code
}

// NewAccessToken makes an access token outside the token limits, for tests that are not about OAuth. Scopes as in
// NewGrantCode.
func (s *Sim) NewAccessToken(scopes string) string {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	t := &accessToken{value: newToken(), scopes: splitScopes(defaulted(scopes, DefaultScopes)), expires: s.Now().Add(s.conf.Load().TokenLifetime)}
	s.auth.access[t.value] = t
	return t.value
}

// ExpireTokens ends every access token now; refresh tokens stay.
func (s *Sim) ExpireTokens() {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	clear(s.auth.access)
	for _, t := range s.auth.order {
		t.active = nil
	}
}
