package zoho

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
	"github.com/sluiceio/sluice/zoho/crm"
)

const tokenScheme = "Zoho-oauthtoken "

// tokens is the session's one source of access tokens. A fresh token is
// reported to the host, which hands it back to the next session: Zoho gives
// only ten in ten minutes per refresh token.
type tokens struct {
	source *crm.TokenSource
	start  crm.Token

	mu     sync.Mutex
	latest crm.Token // minted by this session
	told   bool      // the host knows it
}

var (
	_ crm.TokenCache     = (*tokens)(nil)
	_ egress.TokenSource = (*tokens)(nil)
)

func newTokens(secrets connector.Answers) *tokens {
	t := crm.Token{RefreshToken: secrets.Get(keptRefreshToken), AccessToken: secrets.Get(keptAccessToken)}
	expires, err := time.Parse(time.RFC3339, secrets.Get(keptAccessExpires))
	if err != nil {
		t.AccessToken = "" // of unknown age: not worth a refused request
	}
	t.Expiry = expires
	return &tokens{start: t}
}

// bind gives the tokens their client; it is made after the egress that asks
// for tokens.
func (t *tokens) bind(s settings, client *http.Client) {
	t.source = oauthOf(s, client).TokenSource(t.start, t)
}

func oauthOf(s settings, client *http.Client) crm.OAuth {
	return crm.OAuth{ClientID: s.clientID, ClientSecret: s.clientSecret, AccountsURL: s.accounts, Scopes: s.scopes, HTTPClient: client}
}

// Token returns the header value of a good token.
func (t *tokens) Token(ctx context.Context) (string, error) {
	// A refresh whose answer was lost may be repeated: it yields another token.
	token, err := t.source.Current(egress.WithIdempotent(ctx))
	if err != nil {
		return "", translate(err, "getting an access token from Zoho")
	}
	return tokenScheme + token.AccessToken, nil
}

// Invalidate says that Zoho refused a token.
func (t *tokens) Invalidate(_ context.Context, value string) {
	t.source.Invalidate(strings.TrimPrefix(value, tokenScheme))
}

// Load finds no token: the host hands its own to [product.Open].
func (t *tokens) Load(context.Context) (crm.Token, bool, error) { return crm.Token{}, false, nil }

// Store remembers a fresh token and tells the host, when there is one.
func (t *tokens) Store(ctx context.Context, token crm.Token) error {
	t.mu.Lock()
	t.latest, t.told = token, false
	t.mu.Unlock()
	t.tell(ctx, connector.HostFrom(ctx))
	return nil
}

// tell reports a token the host does not know yet.
func (t *tokens) tell(ctx context.Context, host connector.Host) {
	t.mu.Lock()
	token, told := t.latest, t.told
	t.told = t.told || host != nil
	t.mu.Unlock()
	if host == nil || told || token.AccessToken == "" {
		return
	}
	host.Report(ctx, connector.Report{Keep: &connector.Keep{Secrets: tokenSecrets(token), ExpiresAt: token.Expiry}})
}

func tokenSecrets(t crm.Token) connector.Answers {
	return connector.Answers{
		keptAccessToken: {t.AccessToken}, keptAccessExpires: {t.Expiry.UTC().Format(time.RFC3339)},
	}
}

// fresh returns the token minted by this session, if any.
func (t *tokens) fresh() (crm.Token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest, t.latest.AccessToken != ""
}
