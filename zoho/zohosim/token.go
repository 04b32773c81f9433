package zohosim

import (
	"net/http"
	"strings"
	"time"
)

// POST /oauth/v2/token
//
// Documented: parameters in the query, a urlencoded body or a multipart body, client also as HTTP Basic; grants
// authorization_code, refresh_token and client_credentials (soid ZohoCRM.{zgid}); errors with HTTP 200 and an error
// key; HTTP 400 for a missing grant type; throttle with HTTP 400 at the eleventh mint in ten minutes.
// Gaps: device flow, implicit flow, several clients, several users.

// tokenAnswer is the success body.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	APIDomain    string `json:"api_domain"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
}

type tokenError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	Status      string `json:"status,omitempty"`
}

func (c *call) oauthError(code string) reply {
	c.sim.log.count(func(n *Counters) { n.TokenFailures++ })
	return reply{status: c.conf.Variants.TokenErrorStatus, body: tokenError{Error: code}, code: code}
}

func (c *call) tokenThrottle() reply {
	c.sim.log.count(func(n *Counters) { n.ThrottledTokens++ })
	return reply{status: http.StatusBadRequest, code: "Access Denied", body: tokenError{
		Error: "Access Denied", Status: "failure",
		Description: "You have made too many requests continuously. Please try again after some time."}}
}

func tokenEndpoint(c *call) reply {
	form := c.form()
	a := c.sim.auth
	a.mu.Lock()
	defer a.mu.Unlock()
	grantType := form("grant_type")
	if grantType == "" {
		return reply{status: http.StatusBadRequest, body: tokenError{Error: "invalid_request"}, code: "invalid_request"}
	}
	id, secret := c.client(form)
	if id != a.clientID {
		return c.oauthError("invalid_client")
	}
	if secret != a.secret {
		return c.oauthError("invalid_client_secret")
	}
	switch grantType {
	case "authorization_code":
		return a.exchange(c, form)
	case "refresh_token":
		return a.renew(c, form)
	case "client_credentials":
		return a.orgGrant(c, form)
	}
	return c.oauthError("invalid_client")
}

// form reads parameters from query and body alike.
func (c *call) form() func(string) string {
	if strings.HasPrefix(c.r.Header.Get("Content-Type"), "multipart/") {
		_ = c.r.ParseMultipartForm(1 << 20) // a broken form leaves parameters empty, which is answered below
	} else {
		_ = c.r.ParseForm() // as above
	}
	return func(name string) string { return strings.TrimSpace(c.r.Form.Get(name)) }
}

func (c *call) client(form func(string) string) (id, secret string) {
	if id, secret, found := c.r.BasicAuth(); found {
		return id, secret
	}
	return form("client_id"), form("client_secret")
}

func (a *auth) exchange(c *call, form func(string) string) reply {
	code := form("code")
	g := a.codes[code]
	if g == nil || !c.now.Before(g.expires) {
		delete(a.codes, code)
		return c.oauthError("invalid_code")
	}
	if g.redirect != "" && g.redirect != form("redirect_uri") {
		return c.oauthError("invalid_redirect_uri")
	}
	rt := &refreshToken{value: newToken(), scopes: g.scopes}
	if g.withRefresh && a.tooManyRefreshTokens(c) {
		return c.tokenThrottle()
	}
	delete(a.codes, code)
	ans := c.tokenAnswer(a.mint(rt, g.scopes, c.now, c.conf))
	rt.throttled(c.now)
	if g.withRefresh {
		a.keep(rt)
		ans.RefreshToken = rt.value
	}
	return ok(ans)
}

func (a *auth) tooManyRefreshTokens(c *call) bool {
	for len(a.created) > 0 && c.now.Sub(a.created[0]) >= time.Minute {
		a.created = a.created[1:]
	}
	if len(a.created) >= refreshPerMinute && !c.conf.DisableTokenThrottle {
		return true
	}
	a.created = append(a.created, c.now)
	return false
}

func (a *auth) renew(c *call, form func(string) string) reply {
	rt := a.refresh[form("refresh_token")]
	if rt == nil {
		return c.oauthError("invalid_code")
	}
	if rt.throttled(c.now) && !c.conf.DisableTokenThrottle {
		return c.tokenThrottle()
	}
	return ok(c.tokenAnswer(a.mint(rt, rt.scopes, c.now, c.conf)))
}

func (a *auth) orgGrant(c *call, form func(string) string) reply {
	switch soid := form("soid"); {
	case soid == "":
		return c.oauthError("missing_org_info")
	case soid != "ZohoCRM."+c.sim.org.zgid:
		return c.oauthError("invalid_org_info")
	}
	scopes := splitScopes(form("scope"))
	if len(scopes) == 0 {
		return c.oauthError("invalid_scope")
	}
	if a.orgTokens.throttled(c.now) && !c.conf.DisableTokenThrottle {
		return c.tokenThrottle()
	}
	return ok(c.tokenAnswer(a.mint(a.orgTokens, scopes, c.now, c.conf)))
}

func (c *call) tokenAnswer(t *accessToken) tokenAnswer {
	c.sim.log.count(func(n *Counters) { n.TokenMints++ })
	ans := tokenAnswer{AccessToken: t.value, APIDomain: c.base(), TokenType: "Bearer", ExpiresIn: int(c.conf.TokenLifetime / time.Second)}
	if !c.conf.Variants.OmitTokenScope {
		ans.Scope = strings.Join(t.scopes, " ")
	}
	return ans
}
