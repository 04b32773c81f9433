package connector

import "time"

// ConnectionForm lists the ways to connect.
type ConnectionForm struct {
	// Methods has at least one entry; the first is the default.
	Methods []ConnectionMethod
}

// ConnectionMethod is one way to connect: a form, and an OAuth template where
// the method logs in through the user's browser.
type ConnectionMethod struct {
	// Name identifies the method; Label and Help are shown.
	Name, Label, Help string
	Form              Form
	// OAuth is nil for methods that need no OAuth.
	OAuth *OAuthTemplate
}

// OAuthGrant is how a token is obtained.
type OAuthGrant string

// The OAuth grants a host can run.
const (
	OAuthAuthorizationCode OAuthGrant = "authorization_code"
	OAuthClientCredentials OAuthGrant = "client_credentials"
)

// OAuthTemplate tells the host how to send the user to the app's consent page.
// The host runs the redirect and hands what came back to Connect as an
// [Authorization]; the connector exchanges the code, because products differ
// most in that step. URLs are resolved for the answers the form was asked with.
type OAuthTemplate struct {
	Grant OAuthGrant
	// AuthorizationURL is the consent page without the standard parameters.
	AuthorizationURL string
	// Scopes are joined with ScopeSeparator (default one space).
	Scopes         []string
	ScopeSeparator string
	// Parameters are added to the query, such as access_type=offline.
	Parameters map[string]string
	// ClientIDField names the form field that holds the client id.
	ClientIDField string
	// PKCE asks the host to send a code challenge (RFC 7636).
	PKCE bool
}

// Connection is a connector plus the answers to its connection form.
type Connection struct {
	// ID is the host's stable name of the connection; opaque.
	ID string
	// Method is the name of the chosen connection method. Required.
	Method string
	// Answers are the non-secret ones.
	Answers Answers
	// Secrets are the secret answers and the secrets returned by Connect.
	// Empty where the contract promises that none are sent.
	Secrets Answers
	// Parameters are those returned by Connect and kept by the host.
	Parameters Answers
	// Addresses are those learnt by logging in and kept by the host.
	Addresses []NetworkAddress
	// Limits are the limits in force, overrides applied. Empty means that the
	// connector uses its own.
	Limits Limits
}

// Authorization is what came back from the consent page. The zero value means
// that there was none: a plain test of the connection.
type Authorization struct {
	// Code is the authorization code.
	Code string
	// RedirectURI is the one the code was issued for.
	RedirectURI string
	// CodeVerifier is the PKCE verifier, when the template asked for PKCE.
	CodeVerifier string
	// Parameters are the other query parameters of the redirect.
	Parameters map[string]string
}

// Connected is what a successful Connect returns. The host keeps it with the
// connection, replacing values of the same name.
type Connected struct {
	// Account says in words what was connected to, such as an organisation's name.
	Account string
	// Parameters are kept in clear, Secrets encrypted.
	Parameters Answers
	Secrets    Answers
	// Addresses are further hosts learnt by logging in.
	Addresses []NetworkAddress
	// Notices are findings the user should read, such as a missing scope.
	Notices []string
}

// NetworkAddress is a host a connector talks to.
type NetworkAddress struct {
	// Scheme is "https" (the default when empty) or "http".
	Scheme string
	// Host is a DNS name or an IP address, without port; no wildcards.
	Host string
	// Port is 0 for the scheme's default.
	Port int
	// Purpose says in a few words what the host is for. Optional.
	Purpose string
}

// Keep is what a connector asks the host to keep with the connection while a
// run is going on, such as a fresh access token.
type Keep struct {
	Parameters Answers
	Secrets    Answers
	// ExpiresAt is when the kept secrets become worthless; zero for never.
	ExpiresAt time.Time
}
