package wire

import (
	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var grants = newEnum(map[connector.OAuthGrant]connectorv1.OauthGrant{
	connector.OAuthAuthorizationCode: connectorv1.OauthGrant_OAUTH_GRANT_AUTHORIZATION_CODE,
	connector.OAuthClientCredentials: connectorv1.OauthGrant_OAUTH_GRANT_CLIENT_CREDENTIALS,
})

// ConnectionForm makes the answer to ConnectionForm.
func ConnectionForm(f connector.ConnectionForm) (*connectorv1.ConnectionFormResponse, error) {
	methods, err := list("methods", f.Methods, method)
	return &connectorv1.ConnectionFormResponse{Methods: methods}, first(err, checkMethods(f.Methods))
}

// ConnectionFormFrom reads the answer to ConnectionForm.
func ConnectionFormFrom(r *connectorv1.ConnectionFormResponse) (connector.ConnectionForm, error) {
	methods, err := list("methods", r.GetMethods(), methodFrom)
	return connector.ConnectionForm{Methods: methods}, first(err, checkMethods(methods))
}

func checkMethods(all []connector.ConnectionMethod) error {
	if len(all) == 0 {
		return broken("methods", "is required")
	}
	return unique("methods", "name", all, func(m connector.ConnectionMethod) string { return m.Name })
}

func method(m connector.ConnectionMethod) (*connectorv1.ConnectionMethod, error) {
	form, err1 := Form(m.Form)
	oauth, err2 := oauth(m.OAuth)
	return &connectorv1.ConnectionMethod{Name: m.Name, Label: m.Label, Help: m.Help, Form: form, Oauth: oauth},
		first(required("name", m.Name), within("form", err1), within("oauth", err2), checkMethod(m))
}

func methodFrom(m *connectorv1.ConnectionMethod) (connector.ConnectionMethod, error) {
	form, err1 := FormFrom(m.GetForm())
	oauth, err2 := oauthFrom(m.GetOauth())
	out := connector.ConnectionMethod{Name: m.GetName(), Label: m.GetLabel(), Help: m.GetHelp(), Form: form, OAuth: oauth}
	return out, first(required("name", out.Name), within("form", err1), within("oauth", err2), checkMethod(out))
}

func checkMethod(m connector.ConnectionMethod) error {
	if m.Form.Mapper != nil {
		return broken("form.mapper", "is only for outbound forms")
	}
	return nil
}

func oauth(t *connector.OAuthTemplate) (*connectorv1.OAuthTemplate, error) {
	if t == nil {
		return nil, nil
	}
	grant, err1 := grants.out("grant", t.Grant)
	parameters, err2 := named("parameters", t.Parameters)
	return &connectorv1.OAuthTemplate{
		Grant: grant, AuthorizationUrl: t.AuthorizationURL, Scopes: t.Scopes, ScopeSeparator: t.ScopeSeparator,
		Parameters: parameters, ClientIdField: t.ClientIDField, Pkce: t.PKCE,
	}, first(err1, err2, checkOAuth(t))
}

func oauthFrom(t *connectorv1.OAuthTemplate) (*connector.OAuthTemplate, error) {
	if t == nil {
		return nil, nil
	}
	grant, err1 := grants.in("grant", t.Grant)
	parameters, err2 := namedFrom("parameters", t.Parameters)
	out := &connector.OAuthTemplate{
		Grant: grant, AuthorizationURL: t.AuthorizationUrl, Scopes: t.Scopes, ScopeSeparator: t.ScopeSeparator,
		Parameters: parameters, ClientIDField: t.ClientIdField, PKCE: t.Pkce,
	}
	return out, first(err1, err2, checkOAuth(out))
}

func checkOAuth(t *connector.OAuthTemplate) error {
	if t.Grant == connector.OAuthAuthorizationCode && t.AuthorizationURL == "" {
		return broken("authorization_url", "is required for this grant")
	}
	return required("client_id_field", t.ClientIDField)
}
