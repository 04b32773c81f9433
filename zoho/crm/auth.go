package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// OAuth is a client registered in Zoho's API console. The zero value is not usable; every method needs ClientID,
// ClientSecret and AccountsURL. It must not be copied into logs.
//
// Facts: https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token.html and the pages beside it.
type OAuth struct {
	ClientID     string
	ClientSecret string
	AccountsURL  string   // accounts base of the data center, see [EndpointsOf]; after consent the accounts-server of the redirect
	RedirectURL  string   // as registered; may be empty for a self client
	Scopes       []string // see [ScopesFor]

	// HTTPClient sends the token requests. Nil is http.DefaultClient.
	HTTPClient *http.Client
}

// Token is a grant. Keep it secret.
type Token struct {
	AccessToken  string
	RefreshToken string    // absent from later consents unless prompt=consent was sent
	Expiry       time.Time // of the access token; zero when unknown
	APIDomain    string    // API base to use and to store with the refresh token, when it is a CRM host ([DataCenterOf])
	Scope        []string  // granted scopes; newer servers only
}

// String hides the token.
func (t Token) String() string { return "zoho token (hidden)" }

// GoString hides the token.
func (t Token) GoString() string { return t.String() }

// String hides the client secret.
func (o OAuth) String() string { return "zoho oauth client " + o.ClientID + " at " + o.AccountsURL }

// GoString hides the client secret.
func (o OAuth) GoString() string { return o.String() }

// OAuth2 returns the token in the form of package oauth2. Its type makes oauth2.Transport send Zoho's own Authorization
// scheme, and Extra("api_domain") returns APIDomain.
func (t Token) OAuth2() *oauth2.Token {
	o := &oauth2.Token{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, Expiry: t.Expiry, TokenType: "Zoho-oauthtoken"}
	return o.WithExtra(map[string]any{"api_domain": t.APIDomain})
}

// Config returns the client in the form of package oauth2, for consent flows that are written against it. Use
// [OAuth.Exchange] for the exchange: oauth2 takes Zoho's errors with status 200 for malformed answers.
func (o OAuth) Config() *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, RedirectURL: o.RedirectURL, Scopes: []string{strings.Join(o.Scopes, ",")},
		Endpoint: oauth2.Endpoint{AuthURL: o.url("auth"), TokenURL: o.url("token"), AuthStyle: oauth2.AuthStyleInParams},
	}
}

func (o OAuth) url(name string) string {
	return strings.TrimRight(o.AccountsURL, "/") + "/oauth/v2/" + name
}

// AuthCodeURL returns the consent page to open in the user's browser. It asks for offline access and always for consent,
// because Zoho returns a refresh token only with both. Scopes are separated by commas, as Zoho wants them.
func (o OAuth) AuthCodeURL(state string) string {
	return o.Config().AuthCodeURL(state, oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent"))
}

// Redirect is what the browser brings back after consent.
type Redirect struct {
	Code, State    string
	Location       string // us, eu, in...
	AccountsServer string // where to exchange the code; "" when not told
}

// ParseRedirect reads the query of the redirect. It fails when consent was refused, and when the accounts server is not
// one of Zoho's or of allowed: a code must be exchanged at the server named, and a forged name would receive
// the client's secret.
func ParseRedirect(query url.Values, allowed ...string) (Redirect, error) {
	r := Redirect{Code: query.Get("code"), State: query.Get("state"), Location: query.Get("location"), AccountsServer: strings.TrimRight(query.Get("accounts-server"), "/")}
	if e := query.Get("error"); e != "" {
		code := normalizeCode(clip(e))
		if code == "ACCESS_DENIED" {
			code = "ACCESS_DENIED_BY_USER"
		}
		return r, &Error{Op: OpToken, Code: code, CreditsRemaining: -1, NotSent: true}
	}
	if r.Code == "" {
		return r, argumentError(OpToken, "the redirect carries no code")
	}
	if r.AccountsServer == "" {
		return r, nil
	}
	for _, a := range allowed {
		if r.AccountsServer == strings.TrimRight(a, "/") {
			return r, nil
		}
	}
	for _, c := range centers {
		if r.AccountsServer == "https://"+c.accounts {
			return r, nil
		}
	}
	return r, &Error{Op: OpToken, Code: CodeUntrustedHost, Message: "the accounts server of the redirect is not one of Zoho's", CreditsRemaining: -1, NotSent: true}
}

// Exchange trades a grant code for a token. A code can be used once, within a minute or two.
func (o OAuth) Exchange(ctx context.Context, code string) (Token, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}}
	if o.RedirectURL != "" {
		form.Set("redirect_uri", o.RedirectURL)
	}
	return o.token(ctx, form)
}

// Refresh gets a new access token. Zoho gives 10 in 10 minutes per refresh token and then answers ACCESS_DENIED, so share
// the token among workers and processes; [OAuth.TokenSource] does.
func (o OAuth) Refresh(ctx context.Context, refreshToken string) (Token, error) {
	t, err := o.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
	if err == nil && t.RefreshToken == "" {
		t.RefreshToken = refreshToken
	}
	return t, err
}

// ClientCredentials gets an access token for an organisation without a user. Zgid is the organisation's id.
func (o OAuth) ClientCredentials(ctx context.Context, zgid string) (Token, error) {
	return o.token(ctx, url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(o.Scopes, ",")}, "soid": {"ZohoCRM." + zgid}})
}

// Revoke revokes a refresh token and with it its access tokens.
func (o OAuth) Revoke(ctx context.Context, refreshToken string) error {
	status, header, body, err := o.post(ctx, OpRevoke, "token/revoke", url.Values{"token": {refreshToken}})
	if err != nil {
		return err
	}
	var answer struct {
		Status flexString `json:"status"`
		Error  flexString `json:"error"`
	}
	if status/100 == 2 && json.Unmarshal(body, &answer) == nil && answer.Error == "" && !strings.EqualFold(string(answer.Status), "error") {
		return nil
	}
	return errorFromBody(OpRevoke, "/oauth/v2/token/revoke", status, header, body)
}

func (o OAuth) token(ctx context.Context, form url.Values) (Token, error) {
	form.Set("client_id", o.ClientID)
	form.Set("client_secret", o.ClientSecret)
	status, header, body, err := o.post(ctx, OpToken, "token", form)
	if err != nil {
		return Token{}, err
	}
	return decodeToken(status, header, body, time.Now())
}

// maxTokenAnswer bounds an answer of the accounts server; a token answer has under 2 KiB.
const maxTokenAnswer = 1 << 20

func (o OAuth) post(ctx context.Context, op Op, name string, form url.Values) (int, http.Header, []byte, error) {
	if _, err := baseURL("accounts URL", o.AccountsURL); err != nil {
		return 0, nil, nil, argumentError(op, "%v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url(name), strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, nil, argumentError(op, "the accounts URL is not valid")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return exchange(o.HTTPClient, op, req)
}

func exchange(client *http.Client, op Op, req *http.Request) (int, http.Header, []byte, error) {
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, transportError(op, req.URL.Path, err, false)
	}
	defer drain(resp)
	body, err := readAll(resp, maxTokenAnswer)
	if err != nil {
		return 0, nil, nil, transportError(op, req.URL.Path, err, false)
	}
	return resp.StatusCode, resp.Header, body, nil
}

// decodeToken reads the answer of the token endpoint. Zoho reports most errors with status 200, so an answer without
// access_token is a failure whatever its status.
func decodeToken(status int, header http.Header, body []byte, now time.Time) (Token, error) {
	var a struct {
		AccessToken  flexString `json:"access_token"`
		RefreshToken flexString `json:"refresh_token"`
		APIDomain    flexString `json:"api_domain"`
		Scope        flexString `json:"scope"`
		ExpiresIn    flexInt    `json:"expires_in"`
		ExpiresInSec flexInt    `json:"expires_in_sec"`
	}
	err := json.Unmarshal(body, &a)
	if err != nil || a.AccessToken == "" || status/100 != 2 {
		e := errorFromBody(OpToken, "/oauth/v2/token", status, header, body)
		if e.Code == codeByStatus && status/100 == 2 {
			e.Code, e.Message, e.Err = CodeBadAnswer, "", errors.New("the answer holds neither a token nor an error")
		}
		return Token{}, e
	}
	t := Token{AccessToken: string(a.AccessToken), RefreshToken: string(a.RefreshToken), APIDomain: strings.TrimRight(string(a.APIDomain), "/")}
	t.Scope = strings.FieldsFunc(string(a.Scope), func(r rune) bool { return r == ' ' || r == ',' })
	// Very old servers give seconds in expires_in_sec and then milliseconds in expires_in.
	seconds := a.ExpiresIn
	if a.ExpiresInSec > 0 {
		seconds = a.ExpiresInSec
	}
	if seconds > 0 {
		t.Expiry = now.Add(time.Duration(min(seconds, 366*24*3600)) * time.Second)
	}
	return t, nil
}

// ServerInfo asks an accounts server which data centers there are. It returns accounts base URLs by location (us, eu...).
// A nil client is http.DefaultClient.
func ServerInfo(ctx context.Context, client *http.Client, accountsURL string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(accountsURL, "/")+"/oauth/serverinfo", nil)
	if err != nil {
		return nil, argumentError(OpServerInfo, "the accounts URL is not valid")
	}
	status, header, body, err := exchange(client, OpServerInfo, req)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Locations map[string]flexString `json:"locations"`
	}
	bad := json.Unmarshal(body, &answer) != nil
	if !bad && len(answer.Locations) == 0 { // the shape is not documented: perhaps the locations alone
		bad = json.Unmarshal(body, &answer.Locations) != nil
	}
	if status/100 != 2 || bad || len(answer.Locations) == 0 {
		e := errorFromBody(OpServerInfo, "/oauth/serverinfo", status, header, body)
		if status/100 == 2 {
			e.Code, e.Err = CodeBadAnswer, fmt.Errorf("the answer lists no locations")
		}
		return nil, e
	}
	out := make(map[string]string, len(answer.Locations))
	for k, v := range answer.Locations {
		out[k] = strings.TrimRight(string(v), "/")
	}
	return out, nil
}
