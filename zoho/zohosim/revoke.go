package zohosim

import "net/http"

// POST /oauth/v2/token/revoke (parameter token) and POST /oauth/v2/revoke/token (client authenticated, token and
// token_type). Documented: 200 {"status":"success"}, 400 when invalid; revoking a refresh token ends its access tokens.
// Gap: the body of the 400 is not documented.

type revoked struct {
	Status string `json:"status"`
}

func revokeToken(c *call) reply {
	return c.revoke(c.form()("token"), "refresh_token")
}

func revokeTokenNew(c *call) reply {
	form := c.form()
	if id, secret := c.client(form); id != c.sim.auth.clientID || secret != c.sim.auth.secret {
		return reply{status: http.StatusBadRequest, body: tokenError{Error: "invalid_client"}, code: "invalid_client"}
	}
	return c.revoke(form("token"), defaulted(form("token_type"), "refresh_token"))
}

func (c *call) revoke(value, kind string) reply {
	a := c.sim.auth
	a.mu.Lock()
	defer a.mu.Unlock()
	if rt := a.refresh[value]; rt != nil && kind == "refresh_token" {
		a.drop(rt)
		return ok(revoked{"success"})
	}
	if a.access[value] != nil && kind == "access_token" {
		delete(a.access, value)
		return ok(revoked{"success"})
	}
	return reply{status: http.StatusBadRequest, body: tokenError{Error: "invalid_token", Status: "failure"}, code: "invalid_token"}
}

// GET /oauth/serverinfo. Documented: the list of data centers; the simulator is its own only one, called "us".

type serverInfoAnswer struct {
	Result    string            `json:"result"`
	Locations map[string]string `json:"locations"`
}

func serverInfo(c *call) reply {
	locations := map[string]string{"us": c.base()}
	if c.conf.Variants.BareServerInfo {
		return ok(locations)
	}
	return ok(serverInfoAnswer{"success", locations})
}
