package zohosim

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func (w *world) form(pairs ...string) url.Values {
	v := url.Values{"client_id": {w.sim.ClientID()}, "client_secret": {w.sim.ClientSecret()}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (w *world) refresh() *answer {
	w.t.Helper()
	return w.post("/oauth/v2/token", w.form("grant_type", "refresh_token", "refresh_token", w.sim.RefreshToken()))
}

func TestTokenErrorsComeWithStatus200(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for name, c := range map[string]struct {
		form   []string
		status int
		error  string
	}{
		"unknown client":              {[]string{"grant_type", "refresh_token", "client_id", "1000.X"}, 200, "invalid_client"},
		"wrong secret":                {[]string{"grant_type", "refresh_token", "client_secret", "x"}, 200, "invalid_client_secret"},
		"unknown refresh token":       {[]string{"grant_type", "refresh_token", "refresh_token", "x"}, 200, "invalid_code"},
		"unknown code":                {[]string{"grant_type", "authorization_code", "code", "x"}, 200, "invalid_code"},
		"unknown grant type":          {[]string{"grant_type", "password"}, 200, "invalid_client"},
		"no grant type":               {nil, 400, "invalid_request"},
		"client credentials w/o soid": {[]string{"grant_type", "client_credentials"}, 200, "missing_org_info"},
	} {
		a := w.post("/oauth/v2/token", w.form(c.form...))
		if a.status != c.status || a.at("error") != c.error {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if err := w.sim.Configure(func(c *Config) { c.Variants.TokenErrorStatus = 400 }); err != nil {
		t.Fatal(err)
	}
	if a := w.post("/oauth/v2/token", w.form("grant_type", "refresh_token")); a.status != 400 || a.at("error") != "invalid_code" {
		t.Errorf("variant: %d %s", a.status, a.body)
	}
}

func TestTokenParametersInQueryMultipartAndBasic(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	q := w.form("grant_type", "refresh_token", "refresh_token", w.sim.RefreshToken())
	if a := w.do("POST", "/oauth/v2/token?"+q.Encode(), ""); a.at("access_token") == "" {
		t.Errorf("query: %s", a.body)
	}
	body := ""
	for k := range q {
		body += "--B\r\nContent-Disposition: form-data; name=\"" + k + "\"\r\n\r\n" + q.Get(k) + "\r\n"
	}
	if a := w.do("POST", "/oauth/v2/token", body+"--B--\r\n", "Content-Type", "multipart/form-data; boundary=B"); a.at("access_token") == "" {
		t.Errorf("multipart: %s", a.body)
	}
	req := w.request("POST", "/oauth/v2/token?grant_type=client_credentials&scope=ZohoCRM.org.READ&soid=ZohoCRM."+w.sim.OrgID(), "")
	req.SetBasicAuth(w.sim.ClientID(), w.sim.ClientSecret())
	a, err := w.send(req)
	if err != nil || a.at("access_token") == "" || a.at("refresh_token") != "" || a.at("scope") != "ZohoCRM.org.READ" {
		t.Errorf("client credentials with Basic: %v %+v", err, a)
	}
}

func TestEleventhMintInTenMinutesIsThrottled(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	first := ""
	for i := range 10 {
		a := w.refresh()
		if a.at("access_token") == "" {
			t.Fatalf("mint %d: %s", i+1, a.body)
		}
		if i == 0 {
			first = a.at("access_token")
		}
	}
	a := w.refresh()
	if a.status != 400 || a.at("error") != "Access Denied" || !strings.HasPrefix(a.at("error_description"), "You have made too many requests continuously") {
		t.Errorf("11th: %d %s", a.status, a.body)
	}
	w.clock.advance(10 * time.Minute)
	if a = w.refresh(); a.at("access_token") == "" {
		t.Errorf("after the window: %s", a.body)
	}
	w.token = first
	if a = w.want(401, "GET", "/crm/v8/org", ""); a.at("code") != "INVALID_TOKEN" {
		t.Errorf("the oldest of eleven active tokens: %s", a.body)
	}
	if n := w.sim.Counters(); n.TokenMints != 11 || n.ThrottledTokens != 1 {
		t.Errorf("counters %+v", n)
	}
}

func TestTokensExpireAndAreRevoked(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.token = w.refresh().at("access_token")
	w.want(200, "GET", "/crm/v8/org", "", "Authorization", "Bearer "+w.token)
	w.clock.advance(time.Hour)
	w.want(401, "GET", "/crm/v8/org", "")
	w.token = w.refresh().at("access_token")
	if a := w.post("/oauth/v2/revoke/token", w.form("token", w.token, "token_type", "access_token")); a.at("status") != "success" {
		t.Errorf("revoke access token: %s", a.body)
	}
	w.want(401, "GET", "/crm/v8/org", "")
	w.token = w.refresh().at("access_token")
	if a := w.do("POST", "/oauth/v2/token/revoke?token="+w.sim.RefreshToken(), ""); a.status != 200 || a.at("status") != "success" {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	w.want(401, "GET", "/crm/v8/org", "")
	if a := w.refresh(); a.at("error") != "invalid_code" {
		t.Errorf("refresh after revoke: %s", a.body)
	}
	if a := w.do("POST", "/oauth/v2/token/revoke?token=x", ""); a.status != 400 {
		t.Errorf("unknown token: %d", a.status)
	}
	if a := w.do("GET", "/crm/v8/org", "", "Authorization", "garbage"); a.status != 401 || a.at("code") != "AUTHENTICATION_FAILURE" {
		t.Errorf("garbage header: %d %s", a.status, a.body)
	}
}

func TestAuthorizeRedirectsWithCodeLocationAndServer(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.AutoConsent = true })
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(change ...string) (*http.Response, url.Values) {
		t.Helper()
		q := url.Values{"response_type": {"code"}, "client_id": {w.sim.ClientID()}, "redirect_uri": {"http://localhost:1/cb?x=1"}, "scope": {"ZohoCRM.org.READ,ZohoCRM.bulk.ALL"},
			"access_type": {"offline"}, "state": {"s t"}}
		for i := 0; i < len(change); i += 2 {
			q.Set(change[i], change[i+1])
		}
		resp, err := client.Get(w.base + "/oauth/v2/auth?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		u, err := url.Parse(resp.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return resp, u.Query()
	}
	resp, got := ask()
	if resp.StatusCode != 302 || got.Get("location") != "us" || got.Get("accounts-server") != w.base || got.Get("state") != "s t" || got.Get("x") != "1" {
		t.Fatalf("redirect %d %v", resp.StatusCode, got)
	}
	exchange := w.form("grant_type", "authorization_code", "code", got.Get("code"), "redirect_uri", "http://localhost:1/other")
	if a := w.post("/oauth/v2/token", exchange); a.at("error") != "invalid_redirect_uri" {
		t.Errorf("other redirect: %s", a.body)
	}
	exchange.Set("redirect_uri", "http://localhost:1/cb?x=1")
	if a := w.post("/oauth/v2/token", exchange); a.at("refresh_token") == "" || a.at("scope") != "ZohoCRM.org.READ ZohoCRM.bulk.ALL" {
		t.Errorf("exchange: %s", a.body)
	}
	if a := w.post("/oauth/v2/token", exchange); a.at("error") != "invalid_code" {
		t.Errorf("code used twice: %s", a.body)
	}
	_, got = ask()
	exchange.Set("code", got.Get("code"))
	if a := w.post("/oauth/v2/token", exchange); a.at("access_token") == "" || a.at("refresh_token") != "" {
		t.Errorf("second consent gives no refresh token: %s", a.body)
	}
	_, got = ask("prompt", "consent")
	w.clock.advance(2 * time.Minute)
	exchange.Set("code", got.Get("code"))
	if a := w.post("/oauth/v2/token", exchange); a.at("error") != "invalid_code" {
		t.Errorf("expired code: %s", a.body)
	}
	for _, wrong := range [][]string{{"client_id", "x"}, {"response_type", "token"}, {"redirect_uri", "https://evil.example/cb"}, {"scope", "nonsense"}} {
		if resp, _ := ask(wrong...); resp.StatusCode != 400 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%v: %d %s", wrong, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}

func TestConsentPageAcceptsAndRefuses(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.RedirectURIs = []string{"https://app.example/cb"} })
	q := "?response_type=code&client_id=" + w.sim.ClientID() + "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=ZohoCRM.org.READ"
	if a := w.want(200, "GET", "/oauth/v2/auth"+q, ""); !strings.Contains(string(a.body), "ZohoCRM.org.READ") {
		t.Errorf("consent page: %s", a.body)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for decision, want := range map[string]string{"accept": "code", "reject": "error"} {
		resp, err := client.PostForm(w.base+"/oauth/v2/auth"+q, url.Values{"decision": {decision}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		u, _ := url.Parse(resp.Header.Get("Location"))
		if u == nil || u.Host != "app.example" || !u.Query().Has(want) {
			t.Errorf("%s: %v", decision, u)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, c := range []struct {
		scopes, method, path, body string
		status                     int
	}{
		{"ZohoCRM.org.READ", "GET", "/crm/v8/org", "", 200},
		{"ZohoCRM.org.ALL", "GET", "/crm/v8/org", "", 200},
		{"ZohoCRM.users.ALL", "GET", "/crm/v8/org", "", 401},
		{"ZohoCRM.settings.modules.READ", "GET", "/crm/v8/settings/modules", "", 200},
		{"ZohoCRM.settings.modules.READ", "GET", "/crm/v8/settings/fields?module=Leads", "", 401},
		{"ZohoCRM.settings.ALL", "GET", "/crm/v8/settings/fields?module=Leads", "", 200},
		{"ZohoCRM.settings.READ", "GET", "/crm/v8/settings/modules", "", 401},
		{"ZohoCRM.modules.leads.READ", "GET", "/crm/v8/Leads?fields=id", "", 204},
		{"ZohoCRM.modules.leads.READ", "GET", "/crm/v8/Contacts?fields=id", "", 401},
		{"ZohoCRM.modules.custom.ALL", "GET", "/crm/v8/Vehicles?fields=id", "", 204},
		{"ZohoCRM.modules.READ", "POST", "/crm/v8/Leads", `{"data":[]}`, 401},
		{"ZohoCRM.modules.leads.WRITE", "POST", "/crm/v8/Leads", `{"data":[{"Last_Name":"a","Company":"b"}]}`, 201},
		{"ZohoCRM.bulk.READ", "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Leads"}}}`, 401},
		{"ZohoCRM.bulk.READ,ZohoCRM.modules.ALL", "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Leads"}}}`, 201},
		{"ZohoCRM.coql.READ", "POST", "/crm/v8/coql", `{"select_query":"select id from Leads where id is not null"}`, 401},
	} {
		w.token = w.sim.NewAccessToken(c.scopes)
		a := w.do(c.method, c.path, c.body, "Content-Type", jsonType)
		if a.status != c.status || c.status == 401 && a.at("code") != "OAUTH_SCOPE_MISMATCH" {
			t.Errorf("%s %s %s: %d %s", c.scopes, c.method, c.path, a.status, a.body)
		}
	}
}
