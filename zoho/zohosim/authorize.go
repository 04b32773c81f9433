package zohosim

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// GET /oauth/v2/auth
//
// Documented: response_type=code, client_id, redirect_uri (registered exactly), scope (commas), access_type, prompt,
// state; the redirect carries code, location and accounts-server; refusal redirects with error=access_denied; bad
// input is an HTML error page. A refresh token is only granted on the first offline consent or with prompt=consent.
// Gap: no login and no choice of organisation; POST is the simulator's own consent form.

var consentPage = template.Must(template.New("consent").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Consent</title>
<h1>Simulated Zoho Accounts</h1><p>The application would like to:</p><ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="?{{.Query}}"><button name="decision" value="accept">Accept</button>
<button name="decision" value="reject">Reject</button></form></html>`))

var authErrorPage = template.Must(template.New("error").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Error</title>
<h1>Invalid OAuth request</h1><p>{{.}}</p></html>`))

func authorizePage(c *call) reply {
	if problem := c.authProblem(); problem != "" {
		return htmlReply(http.StatusBadRequest, authErrorPage, problem)
	}
	if c.conf.AutoConsent {
		return c.consent()
	}
	return htmlReply(http.StatusOK, consentPage, struct {
		Scopes []string
		Query  template.URL
	}{splitScopes(c.query.Get("scope")), template.URL(c.query.Encode())})
}

func authorizeDecision(c *call) reply {
	if problem := c.authProblem(); problem != "" {
		return htmlReply(http.StatusBadRequest, authErrorPage, problem)
	}
	if c.form()("decision") == "accept" {
		return c.consent()
	}
	return redirectTo(c.query.Get("redirect_uri"), url.Values{"error": {"access_denied"}})
}

func (c *call) authProblem() string {
	q := c.query
	switch {
	case q.Get("client_id") != c.sim.auth.clientID:
		return "Invalid Client ID"
	case q.Get("response_type") != "code":
		return "Invalid Response Type"
	case !c.redirectAllowed(q.Get("redirect_uri")):
		return "Invalid Redirect Uri"
	case len(splitScopes(q.Get("scope"))) == 0 || slices.ContainsFunc(splitScopes(q.Get("scope")), func(s string) bool { return strings.Count(s, ".") < 2 }):
		return "Invalid OAuth Scope"
	}
	return ""
}

func (c *call) redirectAllowed(uri string) bool {
	if len(c.conf.RedirectURIs) > 0 {
		return slices.Contains(c.conf.RedirectURIs, uri)
	}
	u, err := url.Parse(uri)
	return err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
}

func (c *call) consent() reply {
	q, a := c.query, c.sim.auth
	code := newToken()
	a.mu.Lock()
	offline := q.Get("access_type") == "offline"
	a.codes[code] = &grant{scopes: splitScopes(q.Get("scope")), redirect: q.Get("redirect_uri"), offline: offline,
		withRefresh: offline && (!a.consented || q.Get("prompt") == "consent"), expires: c.now.Add(c.conf.GrantLifetime)}
	a.consented = a.consented || offline
	a.mu.Unlock()
	v := url.Values{"code": {code}, "location": {"us"}, "accounts-server": {c.base()}}
	if q.Has("state") {
		v.Set("state", q.Get("state"))
	}
	return redirectTo(q.Get("redirect_uri"), v)
}

func redirectTo(uri string, add url.Values) reply {
	u, err := url.Parse(uri)
	if err != nil {
		return htmlReply(http.StatusBadRequest, authErrorPage, "Invalid Redirect Uri")
	}
	q := u.Query()
	for k, v := range add {
		q[k] = v
	}
	u.RawQuery = q.Encode()
	return reply{status: http.StatusFound, header: map[string]string{"Location": u.String()}, raw: []byte{}, ctype: "text/html;charset=UTF-8"}
}

func htmlReply(status int, t *template.Template, data any) reply {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return errInternal().reply()
	}
	return reply{status: status, raw: b.Bytes(), ctype: "text/html;charset=UTF-8"}
}
