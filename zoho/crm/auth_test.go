package crm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

func TestTokenAnswers(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		status int
		body   string
		code   string
		life   time.Duration
	}{
		"granted":                   {200, `{"access_token":"a","expires_in":3600,"api_domain":"https://www.zohoapis.eu"}`, "", time.Hour},
		"old server":                {200, `{"access_token":"a","expires_in":3600000,"expires_in_sec":3600}`, "", time.Hour},
		"expiry as text":            {200, `{"access_token":"a","expires_in":"1800"}`, "", 30 * time.Minute},
		"error with 200":            {200, `{"error":"invalid_client"}`, "INVALID_CLIENT", 0},
		"error with 400":            {400, `{"error":"invalid_code"}`, "INVALID_CODE", 0},
		"throttled":                 {400, `{"error":"Access Denied","error_description":"You have made too many requests","status":"failure"}`, "ACCESS_DENIED", 0},
		"neither":                   {200, `{}`, CodeBadAnswer, 0},
		"html":                      {200, `<html>`, CodeBadAnswer, 0},
		"gateway":                   {502, `<html>`, codeByStatus, 0},
		"token with failure status": {500, `{"access_token":"a"}`, codeByStatus, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tok, err := decodeToken(c.status, http.Header{}, []byte(c.body), now)
			if ErrorCode(err) != c.code {
				t.Fatalf("got %v, want code %q", err, c.code)
			}
			if err == nil && tok.Expiry.Sub(now) != c.life {
				t.Errorf("lives %s, want %s", tok.Expiry.Sub(now), c.life)
			}
		})
	}
}

func TestAuthCodeURL(t *testing.T) {
	o := OAuth{ClientID: "1000.X", AccountsURL: "https://accounts.zoho.in/", RedirectURL: "http://localhost/cb", Scopes: []string{"A.b.READ", "C.d.ALL"}}
	u, err := url.Parse(o.AuthCodeURL("st"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for k, want := range map[string]string{
		"scope": "A.b.READ,C.d.ALL", "access_type": "offline", "prompt": "consent", "response_type": "code", "client_id": "1000.X", "state": "st",
		"redirect_uri": "http://localhost/cb",
	} {
		if q.Get(k) != want {
			t.Errorf("%s = %q, want %q", k, q.Get(k), want)
		}
	}
	if u.Host != "accounts.zoho.in" || u.Path != "/oauth/v2/auth" {
		t.Errorf("consent page at %s%s", u.Host, u.Path)
	}
}

func TestParseRedirect(t *testing.T) {
	r, err := ParseRedirect(url.Values{"code": {"c"}, "state": {"s"}, "location": {"eu"}, "accounts-server": {"https://accounts.zoho.eu"}})
	if err != nil || r.Code != "c" || r.State != "s" || r.Location != "eu" || r.AccountsServer != "https://accounts.zoho.eu" {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err = ParseRedirect(url.Values{"error": {"access_denied"}}); ErrorCode(err) != "ACCESS_DENIED_BY_USER" {
		t.Errorf("refusal gives %v", err)
	}
	for _, server := range []string{"https://evil.example", "https://accounts.zoho.eu.evil.example", "https://www.zohoapis.eu", "http://accounts.zoho.eu"} {
		if _, err = ParseRedirect(url.Values{"code": {"c"}, "accounts-server": {server}}); ErrorCode(err) != CodeUntrustedHost {
			t.Errorf("%s gives %v", server, err)
		}
	}
	if _, err = ParseRedirect(url.Values{"code": {"c"}, "accounts-server": {"http://127.0.0.1:9"}}, "http://127.0.0.1:9/"); err != nil {
		t.Errorf("an allowed server gives %v", err)
	}
	if _, err = ParseRedirect(url.Values{}); err == nil {
		t.Error("a redirect without code is accepted")
	}
}

func TestExchangeRefreshRevoke(t *testing.T) {
	f := newFake(t)
	var form url.Values
	f.on("POST /oauth/v2/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form = r.PostForm
		if r.PostForm.Get("grant_type") == "refresh_token" {
			answer(200, `{"access_token":"two","expires_in":3600}`)(w, r)
			return
		}
		answer(200, `{"access_token":"one","refresh_token":"r1","scope":"A B","expires_in":3600,"api_domain":"https://www.zohoapis.com/"}`)(w, r)
	})
	f.on("POST /oauth/v2/token/revoke", inTurn(answer(200, `{"status":"success"}`), answer(400, `{"error":"invalid_code"}`)))
	o := OAuth{ClientID: "id", ClientSecret: "hush", AccountsURL: f.URL, RedirectURL: "http://cb"}
	tok, err := o.Exchange(t.Context(), "code1")
	if err != nil || tok.RefreshToken != "r1" || tok.APIDomain != "https://www.zohoapis.com" || len(tok.Scope) != 2 {
		t.Fatalf("got %+v, %v", tok, err)
	}
	if form.Get("code") != "code1" || form.Get("redirect_uri") != "http://cb" || form.Get("client_secret") != "hush" {
		t.Errorf("sent %v", form)
	}
	again, err := o.Refresh(t.Context(), "r1")
	if err != nil || again.AccessToken != "two" || again.RefreshToken != "r1" {
		t.Errorf("refresh gives %q %q, %v", again.AccessToken, again.RefreshToken, err)
	}
	if err := o.Revoke(t.Context(), "r1"); err != nil {
		t.Error(err)
	}
	if err := o.Revoke(t.Context(), "r1"); ErrorCode(err) != "INVALID_CODE" {
		t.Errorf("second revocation gives %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v %v", o, o, o, tok); strings.Contains(s, "hush") || strings.Contains(s, "r1") {
		t.Errorf("a secret is printed: %s", s)
	}
	req := &http.Request{Header: http.Header{}}
	tok.OAuth2().SetAuthHeader(req)
	if req.Header.Get("Authorization") != "Zoho-oauthtoken one" || tok.OAuth2().Extra("api_domain") != "https://www.zohoapis.com" {
		t.Errorf("oauth2 form sends %q", req.Header.Get("Authorization"))
	}
}

func TestServerInfo(t *testing.T) {
	f := newFake(t)
	f.on("GET /oauth/serverinfo", answer(200, `{"result":"success","locations":{"us":"https://accounts.zoho.com","eu":"https://accounts.zoho.eu/"}}`))
	got, err := ServerInfo(t.Context(), nil, f.URL)
	if err != nil || got["eu"] != "https://accounts.zoho.eu" || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

// roundTrip is an http.RoundTripper in memory.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// memoryOAuth is a client whose refreshes are answered in memory, each after a second: t1, t2 and so on, or what fail
// says.
func memoryOAuth(count *atomic.Int64, fail func(n int64) string) OAuth {
	server := roundTrip(func(r *http.Request) (*http.Response, error) {
		n := count.Add(1)
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		body := fmt.Sprintf(`{"access_token":"t%d","expires_in":3600}`, n)
		if fail != nil {
			body = fail(n)
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})
	return OAuth{ClientID: "id", ClientSecret: "s", AccountsURL: "https://accounts.zoho.com", HTTPClient: &http.Client{Transport: server}}
}

func TestTokenSourceRefreshesOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		s := memoryOAuth(&count, nil).TokenSource(Token{RefreshToken: "r"}, nil)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if tok, err := s.Current(t.Context()); err != nil || tok.AccessToken != "t1" {
					t.Errorf("got %q, %v", tok.AccessToken, err)
				}
			})
		}
		wg.Wait()
		if count.Load() != 1 {
			t.Errorf("%d refreshes for 20 callers", count.Load())
		}
		// 57 minutes later the token is good; two minutes before its end it is not.
		<-time.After(57 * time.Minute)
		if tok, _ := s.Current(t.Context()); tok.AccessToken != "t1" {
			t.Errorf("after 57 minutes: %q", tok.AccessToken)
		}
		<-time.After(90 * time.Second)
		if tok, _ := s.Current(t.Context()); tok.AccessToken != "t2" {
			t.Errorf("after 58.5 minutes: %q", tok.AccessToken)
		}
	})
}

func TestTokenSourceSharesAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		s := memoryOAuth(&count, func(int64) string { return `{"error":"invalid_code"}` }).TokenSource(Token{RefreshToken: "r"}, nil)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := s.Current(t.Context()); ErrorCode(err) != "INVALID_CODE" {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if count.Load() != 1 {
			t.Errorf("%d refreshes for 20 callers", count.Load())
		}
	})
}

func TestTokenSourceOutlivesACancelledCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		s := memoryOAuth(&count, nil).TokenSource(Token{RefreshToken: "r"}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Current(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the cancelled caller got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if tok, err := s.Current(t.Context()); err != nil || tok.AccessToken != "t2" {
				t.Errorf("the patient caller got %q, %v", tok.AccessToken, err)
			}
		})
		wg.Wait()
	})
}

func TestInvalidateOnlyTheCurrentToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		s := memoryOAuth(&count, nil).TokenSource(Token{RefreshToken: "r", AccessToken: "t0", Expiry: time.Now().Add(time.Hour)}, nil)
		for _, step := range []struct{ refused, want string }{{"", "t0"}, {"t0", "t1"}, {"t0", "t1"}, {"t1", "t2"}} {
			s.Invalidate(step.refused)
			if tok, err := s.Current(t.Context()); err != nil || tok.AccessToken != step.want {
				t.Errorf("after %q was refused: %q, %v", step.refused, tok.AccessToken, err)
			}
		}
		s.Invalidate("t2")
		s.Invalidate("t1") // a late worker's complaint does not absolve t2
		if tok, err := s.Current(t.Context()); err != nil || tok.AccessToken != "t3" {
			t.Errorf("after two complaints: %q, %v", tok.AccessToken, err)
		}
	})
}

type memoryCache struct {
	mu    sync.Mutex
	token *Token
}

func (m *memoryCache) Load(context.Context) (Token, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token == nil {
		return Token{}, false, nil
	}
	return *m.token, true, nil
}

func (m *memoryCache) Store(_ context.Context, t Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token = &t
	return nil
}

func TestCacheSharesTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		cache := &memoryCache{}
		o := memoryOAuth(&count, nil)
		one, two := o.TokenSource(Token{RefreshToken: "r"}, cache), o.TokenSource(Token{RefreshToken: "r"}, cache)
		for _, s := range []*TokenSource{one, two, two, one} {
			if tok, err := s.Current(t.Context()); err != nil || tok.AccessToken != "t1" {
				t.Errorf("got %q, %v", tok.AccessToken, err)
			}
		}
		one.Invalidate("t1")
		for _, s := range []*TokenSource{one, one} {
			if tok, _ := s.Current(t.Context()); tok.AccessToken != "t2" {
				t.Errorf("after invalidation: %q", tok.AccessToken)
			}
		}
		two.Invalidate("t1")
		if tok, _ := two.Current(t.Context()); tok.AccessToken != "t2" || count.Load() != 2 {
			t.Errorf("the other process got %q after %d refreshes", tok.AccessToken, count.Load())
		}
	})
}

func TestClientRefreshesOnceOnInvalidToken(t *testing.T) {
	f := newFake(t)
	f.on("POST /oauth/v2/token", answer(200, `{"access_token":"new","expires_in":3600}`))
	var bodies []string
	guarded := func(good string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			b := new(strings.Builder)
			_ = r.Write(b)
			bodies = append(bodies, b.String())
			if r.Header.Get("Authorization") != "Zoho-oauthtoken "+good {
				answer(401, `{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token","status":"error"}`)(w, r)
				return
			}
			answer(201, `{"data":[{"code":"SUCCESS","status":"success","details":{"id":"1"}}]}`)(w, r)
		}
	}
	o := OAuth{ClientID: "id", ClientSecret: "s", AccountsURL: f.URL}
	source := func() *TokenSource {
		return o.TokenSource(Token{AccessToken: "old", RefreshToken: "r", Expiry: time.Now().Add(time.Hour)}, nil)
	}
	rows := values(`{"Last_Name":"Ray"}`)
	f.on("POST /crm/v8/Leads", guarded("new"))
	res, err := f.client(t, WithTokenSource(source())).Insert(t.Context(), "Leads", rows, WriteOptions{})
	if err != nil || len(res) != 1 || res[0].ID != "1" {
		t.Fatalf("got %v, %v", res, err)
	}
	if len(bodies) != 2 || !strings.Contains(bodies[1], `{"data":[{"Last_Name":"Ray"}]}`) {
		t.Errorf("%d attempts; the second sent %q", len(bodies), bodies[len(bodies)-1])
	}
	bodies = nil
	f.on("POST /crm/v8/Leads", guarded("another"))
	if _, err = f.client(t, WithTokenSource(source())).Insert(t.Context(), "Leads", rows, WriteOptions{}); ErrorCode(err) != "INVALID_TOKEN" || len(bodies) != 2 {
		t.Errorf("got %v after %d attempts", err, len(bodies))
	}
	bodies = nil
	f.on("GET /crm/v8/org", guarded("another"))
	if _, err = f.client(t, WithTokenSource(source())).Organization(t.Context()); ErrorCode(err) != "INVALID_TOKEN" || len(bodies) != 2 {
		t.Errorf("got %v after %d attempts", err, len(bodies))
	}
	bodies = nil
	plain := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "x"})
	if _, err = f.client(t, WithTokenSource(plain)).Insert(t.Context(), "Leads", rows, WriteOptions{}); ErrorCode(err) != "INVALID_TOKEN" || len(bodies) != 1 {
		t.Errorf("a static source: %v after %d attempts", err, len(bodies))
	}
	bodies = nil
	if _, err = f.client(t).Insert(t.Context(), "Leads", rows, WriteOptions{}); ErrorCode(err) != "INVALID_TOKEN" || strings.Contains(bodies[0], "Authorization") {
		t.Errorf("without a source: %v", err)
	}
}
