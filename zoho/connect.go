package zoho

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Connect logs in, exchanging the code of the consent page or of the self
// client where there is a new one, and asks who and where it is.
func (s *session) Connect(ctx context.Context, authorization connector.Authorization) (connector.Connected, error) {
	if s.settings.clientSecret == "" {
		return connector.Connected{}, answerError(fieldClientSecret, "the client secret is missing")
	}
	grant, in, err := s.login(ctx, authorization)
	if err != nil {
		return connector.Connected{}, err
	}
	if in != s {
		defer func() { _ = in.Close() }()
	}
	out, err := in.introduce(ctx)
	if err != nil {
		return connector.Connected{}, err
	}
	if in.settings.dc != s.settings.asked {
		out.Addresses = in.settings.addresses()
		out.Notices = append(out.Notices, "The account lives in data center "+string(in.settings.dc)+", not "+string(s.settings.asked)+"; the connection uses the former.")
	}
	out.Parameters[keptDataCenter], out.Parameters[keptAsked] = []string{string(in.settings.dc)}, []string{string(s.settings.asked)}
	out.Parameters[keptAccounts] = []string{in.settings.accounts}
	if grant.RefreshToken != "" {
		out.Secrets[keptRefreshToken] = []string{grant.RefreshToken}
	}
	if s.settings.grantCode != "" {
		out.Secrets[keptGrantCodePrint] = []string{fingerprint(s.settings.grantCode)}
	}
	if grant.APIDomain != "" {
		out.Parameters[keptAPIDomain] = []string{grant.APIDomain}
	}
	out.Notices = append(out.Notices, missingScopes(s.settings.scopes, grant.Scope)...)
	return out, nil
}

// login returns the grant, if a new one was made, and the session that speaks
// to the data center the account lives in: s itself, or another one that the
// caller closes.
func (s *session) login(ctx context.Context, authorization connector.Authorization) (crm.Token, *session, error) {
	code, oauth, place, err := s.codeToExchange(authorization)
	if err != nil {
		return crm.Token{}, nil, err
	}
	if code == "" {
		if s.secrets.Get(keptRefreshToken) == "" {
			return crm.Token{}, nil, s.nothingToLogInWith()
		}
		return crm.Token{}, s, nil
	}
	grant, err := oauth.Exchange(ctx, code)
	if err != nil {
		return crm.Token{}, nil, translate(err, "exchanging the grant code at "+hostOf(oauth.AccountsURL))
	}
	if grant.RefreshToken == "" {
		// The access token would end within the hour and could not be replaced.
		e := connector.Errorf(connector.ClassAuth, "NO_REFRESH_TOKEN", "exchanging the grant code at %s: Zoho gave no refresh token", hostOf(oauth.AccountsURL))
		e.Help = []connector.Help{{Description: "Connect again and accept the consent page; it must be asked with access_type=offline and prompt=consent."}}
		return crm.Token{}, nil, e
	}
	in, err := s.at(place, oauth.AccountsURL, grant)
	return grant, in, err
}

// codeToExchange finds the code, and the client for the accounts server that
// issued it. The code is "" when there is no new one.
func (s *session) codeToExchange(a connector.Authorization) (string, crm.OAuth, crm.DataCenter, error) {
	oauth := oauthOf(s.settings, s.egress.HTTP())
	if s.settings.method == methodSelfClient {
		code := s.settings.grantCode
		if code != "" && s.secrets.Get(keptRefreshToken) != "" && s.secrets.Get(keptGrantCodePrint) == fingerprint(code) {
			code = "" // used already
		}
		return code, oauth, s.settings.dc, nil
	}
	if a.Code == "" && len(a.Parameters) == 0 {
		return "", oauth, s.settings.dc, nil
	}
	query := url.Values{}
	for k, v := range a.Parameters {
		query.Set(k, v)
	}
	if a.Code != "" {
		query.Set("code", a.Code)
	}
	var allowed []string
	if s.settings.endpoint != "" {
		allowed = append(allowed, s.settings.endpoint)
	}
	redirect, err := crm.ParseRedirect(query, allowed...)
	if err != nil {
		return "", oauth, "", translate(err, "reading the answer of the consent page")
	}
	oauth.RedirectURL = a.RedirectURI
	return redirect.Code, s.issuer(oauth, redirect), s.issuingCenter(redirect), nil
}

// issuer points the client at the accounts server that issued the code. With
// an endpoint override everything stays there.
func (s *session) issuer(oauth crm.OAuth, r crm.Redirect) crm.OAuth {
	if s.settings.endpoint != "" {
		return oauth
	}
	if r.AccountsServer != "" {
		oauth.AccountsURL = r.AccountsServer
	} else if ends, err := crm.EndpointsOf(s.issuingCenter(r), s.settings.env); err == nil {
		oauth.AccountsURL = ends.Accounts
	}
	return oauth
}

func (s *session) issuingCenter(r crm.Redirect) crm.DataCenter {
	if s.settings.endpoint != "" {
		return s.settings.dc
	}
	if dc, _, ok := crm.DataCenterOf(r.AccountsServer); ok {
		return dc
	}
	if dc, ok := crm.DataCenterByLocation(r.Location); ok {
		return dc
	}
	return s.settings.asked
}

// at returns a session like s that holds the grant, in the data center it was
// issued in.
func (s *session) at(dc crm.DataCenter, accounts string, grant crm.Token) (*session, error) {
	in := &session{config: s.config, settings: s.settings, limits: s.limits, secrets: connector.Answers{}}
	in.settings.dc, in.settings.accounts = dc, accounts
	if found, env, ok := crm.DataCenterOf(grant.APIDomain); ok && s.settings.endpoint == "" {
		in.settings.dc = found
		switch {
		case env == s.settings.env:
			in.settings.apiDomain = grant.APIDomain
		case env != crm.Production:
			return nil, wrongEnvironment(env, s.settings.env)
		default:
			// Whether Zoho names the production host for other environments too is
			// not documented: the chosen one is tried, and its answer decides.
			in.settings.apiDomain = ""
		}
	}
	in.secrets[keptRefreshToken] = []string{grant.RefreshToken}
	for k, v := range tokenSecrets(grant) {
		in.secrets[k] = v
	}
	return in, in.wire()
}

func wrongEnvironment(got, want crm.Environment) *connector.Error {
	e := connector.Errorf(connector.ClassConfig, "WRONG_ENVIRONMENT", "the consent was given for the %s environment, the connection is set to %s", got, want)
	e.Fields = []connector.FieldViolation{{Field: fieldEnvironment, Description: "choose " + string(got) + ", or consent for " + string(want)}}
	return e
}

func (s *session) nothingToLogInWith() *connector.Error {
	if s.settings.method == methodSelfClient {
		e := answerError(fieldGrantCode, "the grant code is missing")
		e.Help = []connector.Help{{Description: "Generate a grant code with the scopes " + strings.Join(s.settings.scopes, ",") + " under Self Client in the API console.", URL: consoleURL}}
		return e
	}
	e := connector.Errorf(connector.ClassAuth, "NOT_LOGGED_IN", "the connection holds no grant yet")
	e.Help = []connector.Help{{Description: "Log in through the consent page."}}
	return e
}

// introduce asks for the organisation and the user.
func (s *session) introduce(ctx context.Context) (connector.Connected, error) {
	org, err := s.client.Organization(ctx)
	if err != nil {
		return connector.Connected{}, s.explainLogin(translate(err, "reading the organisation"))
	}
	out := connector.Connected{
		Account: org.Name + " (" + strings.ToLower(org.Type) + ", organisation " + org.ZGID + ")",
		Parameters: connector.Answers{
			keptOrgID: {org.ZGID}, keptEdition: {editionName(org.License)}, keptUsers: {strconv.Itoa(org.License.Users)},
		},
		Secrets: connector.Answers{},
	}
	zone := org.TimeZone
	user, err := s.client.CurrentUser(ctx)
	switch {
	case err == nil && user.TimeZone != "":
		zone = user.TimeZone
	case err != nil:
		out.Notices = append(out.Notices, "The connected user cannot be read ("+translate(err, "reading the user").Code+"): date-times are written in the organisation's time zone "+
			zone+". Consent to ZohoCRM.users.READ to have the user's own.")
	}
	out.Parameters[keptTimeZone] = []string{zone}
	out.Notices = append(out.Notices, s.rights(ctx)...)
	if token, ok := s.tokens.fresh(); ok {
		out.Secrets = tokenSecrets(token)
	} else if s.tokens.start.AccessToken != "" {
		out.Secrets = tokenSecrets(s.tokens.start)
	}
	return out, nil
}

// rights tells what the user will not be able to do.
func (s *session) rights(ctx context.Context) []string {
	modules, err := s.catalog.modules(ctx)
	if err != nil {
		e := translate(err, "listing the modules")
		return []string{"Modules cannot be listed, so nothing can be synced yet: " + e.Message + "."}
	}
	var writable, readable bool
	for _, m := range modules {
		writable = writable || m.BulkWritable()
		readable = readable || m.BulkReadable()
	}
	var out []string
	if !readable {
		out = append(out, "The connected user can read no module; inbound syncs will find no stream.")
	}
	if !writable {
		out = append(out, "The connected user may only read; outbound syncs will find no module to write to.")
	}
	return out
}

// explainLogin adds what a refused first call usually means.
func (s *session) explainLogin(e *connector.Error) *connector.Error {
	if e.Code == "INVALID_TOKEN" && s.settings.endpoint == "" {
		e.Message += "; the API host is that of data center " + string(s.settings.dc) + ", environment " + string(s.settings.env)
	}
	return e
}

// missingScopes compares what was granted with what is needed. Older servers
// do not tell what they granted.
func missingScopes(needed, granted []string) []string {
	if len(granted) == 0 {
		return nil
	}
	var missing []string
	for _, need := range needed {
		if !covered(need, granted) {
			missing = append(missing, need)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{"These scopes are missing, and what needs them will fail: " + strings.Join(missing, ",") + ". Consent again with all scopes of the connection form."}
}

// covered reports whether a scope was granted, by itself or by a wider one:
// ZohoCRM.settings.ALL covers ZohoCRM.settings.fields.READ.
func covered(need string, granted []string) bool {
	for _, g := range granted {
		if strings.EqualFold(g, need) {
			return true
		}
		if base, ok := strings.CutSuffix(strings.ToLower(g), ".all"); ok && strings.HasPrefix(strings.ToLower(need), base+".") {
			return true
		}
	}
	return false
}

// fingerprint recognises a grant code that was used already.
func fingerprint(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:8])
}

func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return "the accounts server"
	}
	return u.Host
}
