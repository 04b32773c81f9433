package zoho

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Names of the connection methods.
const (
	methodOAuth      = "oauth"
	methodSelfClient = "self_client"
)

// Fields of the connection form.
const (
	fieldDataCenter   = "data_center"
	fieldEnvironment  = "environment"
	fieldClientID     = "client_id"
	fieldClientSecret = "client_secret"
	fieldGrantCode    = "grant_code"
	fieldScopesInfo   = "scopes_info"
	fieldAddOnCredits = "addon_credits"
	fieldEndpointURL  = "endpoint_url"
	fieldUploadURL    = "upload_url"
	fieldPurposes     = "purposes"
	fieldAPIVersion   = "api_version"
)

// Parameters and secrets kept by the host after Connect.
const (
	keptOrgID          = "org_id"
	keptTimeZone       = "time_zone"
	keptAPIDomain      = "api_domain"
	keptAccounts       = "accounts_server"
	keptDataCenter     = "login_data_center" // where the account was found to live
	keptAsked          = "asked_data_center" // the answer at that time
	keptEdition        = "edition"
	keptUsers          = "users"
	keptRefreshToken   = "refresh_token"
	keptAccessToken    = "access_token"
	keptAccessExpires  = "access_token_expires"
	keptGrantCodePrint = "grant_code_used"
)

// consoleURL is where clients are registered and self-client codes made.
const consoleURL = "https://api-console.zoho.com/"

var dataCenterLabels = map[crm.DataCenter]string{
	crm.US: "United States (zoho.com)", crm.EU: "Europe (zoho.eu)", crm.IN: "India (zoho.in)", crm.AU: "Australia (zoho.com.au)",
	crm.CN: "China (zoho.com.cn)", crm.JP: "Japan (zoho.jp)", crm.CA: "Canada (zohocloud.ca)", crm.SA: "Saudi Arabia (zoho.sa)",
	crm.UK: "United Kingdom (zoho.uk)", crm.AE: "United Arab Emirates (zoho.ae)",
}

func connectionForm(answers connector.Answers) connector.ConnectionForm {
	common := commonFields(answers)
	self := slices.Insert(slices.Clone(common), 4, connector.Field{
		Name: fieldGrantCode, Kind: connector.FieldInput, Label: "Grant code", Secret: true,
		Help: "The code generated under Self Client in the API console. It can be used once and lasts a few minutes. " +
			"Needed at the first connection and to connect anew; may be left empty afterwards.",
	})
	return connector.ConnectionForm{Methods: []connector.ConnectionMethod{
		{
			Name: methodOAuth, Label: "Log in with Zoho", Help: "Register a server-based application in the API console (" + consoleURL + "), then log in.",
			Form: connector.Form{Fields: common}, OAuth: oauthTemplate(answers),
		},
		{
			Name: methodSelfClient, Label: "Self client", Help: "Make a self client in the API console (" + consoleURL + ") and generate a grant code there.",
			Form: connector.Form{Fields: self},
		},
	}}
}

func commonFields(answers connector.Answers) []connector.Field {
	zero := 0.0
	return []connector.Field{
		{
			Name: fieldDataCenter, Kind: connector.FieldDropdown, Label: "Data center", Required: true, Default: []string{string(crm.US)}, ReloadOnChange: true,
			Help: "Where your Zoho account lives: the ending of the address you see after logging in.", Options: dataCenterOptions(),
		},
		{
			Name: fieldEnvironment, Kind: connector.FieldRadio, Label: "Environment", Required: true, Default: []string{string(crm.Production)},
			Help: "Choose the same environment when you give consent.",
			Options: []connector.Option{
				{Value: string(crm.Production), Label: "Production"}, {Value: string(crm.Sandbox), Label: "Sandbox"}, {Value: string(crm.Developer), Label: "Developer edition"},
			},
		},
		{
			Name: fieldClientID, Kind: connector.FieldInput, Label: "Client ID", Required: true, Help: "As the API console shows it, beginning with 1000.",
			Validation: connector.Validation{Pattern: `\S+`, PatternMessage: "no spaces"},
		},
		{
			Name: fieldClientSecret, Kind: connector.FieldInput, Label: "Client secret", Required: true, Secret: true,
			Help: "Each data center has its own client secret, unless the client shares one.",
		},
		{
			Name: fieldPurposes, Kind: connector.FieldDropdown, Multiple: true, Label: "What the connection is for", Default: purposeNames(), ReloadOnChange: true,
			Help: "Consent is asked for no more than that. What is chosen later needs a new consent.", Options: purposeOptions(),
		},
		{
			Name: fieldScopesInfo, Kind: connector.FieldInformation,
			Help: "Scopes needed: " + strings.Join(scopesFor(answers), ","),
		},
		{
			Name: fieldAddOnCredits, Kind: connector.FieldNumber, Label: "Add-on API credits", Default: []string{"0"},
			Help: "Credits bought beyond those of the edition; Zoho does not report them.", Validation: connector.Validation{Min: &zero},
		},
		{
			Name: fieldEndpointURL, Kind: connector.FieldInput, Label: "Endpoint override",
			Help:       "Send everything to this base URL, a simulator or a proxy, instead of Zoho's hosts. Leave empty normally.",
			Validation: connector.Validation{Pattern: `(https?://\S+)?`, PatternMessage: "an http or https URL"},
		},
		{
			Name: fieldUploadURL, Kind: connector.FieldInput, Label: "Upload host override",
			Help:       "Base URL for file uploads, for instance https://upload-accl.zoho.eu. Leave empty for the data center's own.",
			Validation: connector.Validation{Pattern: `(https?://\S+)?`, PatternMessage: "an http or https URL"},
		},
		{
			Name: fieldAPIVersion, Kind: connector.FieldDropdown, Label: "API version", Default: []string{crm.DefaultVersion},
			Help: "Zoho serves all of them. Leave it unless something changed in the newest.", Options: versionOptions(),
		},
	}
}

func dataCenterOptions() []connector.Option {
	var out []connector.Option
	for _, dc := range crm.DataCenters() {
		out = append(out, connector.Option{Value: string(dc), Label: dataCenterLabels[dc]})
	}
	return out
}

// oauthTemplate describes Zoho's consent page. A refresh token is given only
// with access_type=offline and, after the first consent, prompt=consent
// (https://www.zoho.com/accounts/protocol/oauth/web-apps/authorization.html).
func oauthTemplate(answers connector.Answers) *connector.OAuthTemplate {
	accounts := "https://accounts.zoho.com"
	dc := crm.DataCenter(answers.Get(fieldDataCenter))
	if ends, err := crm.EndpointsOf(dc, crm.Production); err == nil {
		accounts = ends.Accounts
	}
	if u := answers.Get(fieldEndpointURL); u != "" {
		accounts = strings.TrimRight(u, "/")
	}
	return &connector.OAuthTemplate{
		Grant: connector.OAuthAuthorizationCode, AuthorizationURL: accounts + "/oauth/v2/auth",
		Scopes: scopesFor(answers), ScopeSeparator: ",", ClientIDField: fieldClientID,
		Parameters: map[string]string{"access_type": "offline", "prompt": "consent"},
	}
}

// settings are the answers of a connection, checked.
type settings struct {
	method       string
	dc           crm.DataCenter
	asked        crm.DataCenter
	env          crm.Environment
	clientID     string
	clientSecret string
	grantCode    string
	addOn        int64
	version      string // "" for the connector's default
	scopes       []string
	endpoint     string // "" normally
	upload       string
	accounts     string
	apiDomain    string
	orgID        string
	timeZone     string
	edition      string
	users        int
	extra        []connector.NetworkAddress
}

func answerError(field, format string, args ...any) *connector.Error {
	e := connector.Errorf(connector.ClassConfig, "INVALID_ANSWER", "the connection form: "+format, args...)
	e.Fields = []connector.FieldViolation{{Field: field, Description: "correct this answer"}}
	return e
}

// parseSettings checks the answers. Secrets are not asked for here, since
// connections without them are legal for [connector.Connector.NetworkAddresses].
func parseSettings(c connector.Connection) (settings, error) {
	s := settings{
		method: c.Method, asked: crm.DataCenter(c.Answers.Get(fieldDataCenter)), env: crm.Environment(c.Answers.Get(fieldEnvironment)),
		clientID: strings.TrimSpace(c.Answers.Get(fieldClientID)), clientSecret: strings.TrimSpace(c.Secrets.Get(fieldClientSecret)),
		grantCode: strings.TrimSpace(c.Secrets.Get(fieldGrantCode)),
		accounts:  c.Parameters.Get(keptAccounts), apiDomain: c.Parameters.Get(keptAPIDomain), orgID: c.Parameters.Get(keptOrgID),
		timeZone: c.Parameters.Get(keptTimeZone), edition: c.Parameters.Get(keptEdition), extra: c.Addresses,
	}
	s.users, _ = strconv.Atoi(c.Parameters.Get(keptUsers))
	if s.method != methodOAuth && s.method != methodSelfClient {
		return s, answerError("method", "the connection method %q is unknown; use %s or %s", s.method, methodOAuth, methodSelfClient)
	}
	if s.asked == "" {
		s.asked = crm.US
	}
	if s.env == "" {
		s.env = crm.Production
	}
	if !slices.Contains(crm.DataCenters(), s.asked) {
		return s, answerError(fieldDataCenter, "the data center %q is unknown", s.asked)
	}
	if _, err := crm.EndpointsOf(s.asked, s.env); err != nil {
		return s, answerError(fieldEnvironment, "the environment %q is unknown; use production, sandbox or developer", s.env)
	}
	if err := s.parseRest(c); err != nil {
		return s, err
	}
	s.placeAccount(c)
	return s, nil
}

func (s *settings) parseRest(c connector.Connection) error {
	if s.clientID == "" {
		return answerError(fieldClientID, "the client id is missing")
	}
	if text := c.Answers.Get(fieldAddOnCredits); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return answerError(fieldAddOnCredits, "the add-on credits must be a whole number, 0 or more")
		}
		s.addOn = n
	}
	if s.version = c.Answers.Get(fieldAPIVersion); s.version != "" && !slices.Contains(apiVersions, s.version) {
		return answerError(fieldAPIVersion, "the API version %q is not one of %s", s.version, strings.Join(apiVersions, ", "))
	}
	if err := checkPurposes(c.Answers); err != nil {
		return err
	}
	s.scopes = scopesFor(c.Answers)
	var err error
	if s.endpoint, err = baseAnswer(c, fieldEndpointURL); err != nil {
		return err
	}
	s.upload, err = baseAnswer(c, fieldUploadURL)
	return err
}

func baseAnswer(c connector.Connection, field string) (string, error) {
	text := strings.TrimRight(strings.TrimSpace(c.Answers.Get(field)), "/")
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.RawQuery != "" || u.User != nil {
		return "", answerError(field, "%s must be an http or https URL without query", field)
	}
	return text, nil
}

// placeAccount decides the data center: the one the login found, as long as
// the answer it was found under still stands.
func (s *settings) placeAccount(c connector.Connection) {
	s.dc = s.asked
	found := crm.DataCenter(c.Parameters.Get(keptDataCenter))
	if c.Parameters.Get(keptAsked) == string(s.asked) {
		if slices.Contains(crm.DataCenters(), found) {
			s.dc = found
		}
	} else if c.Parameters.Get(keptAsked) != "" { // what was learnt belongs to another data center
		s.accounts, s.apiDomain = "", ""
	}
	ends, _ := crm.EndpointsOf(s.dc, s.env)
	if s.accounts == "" {
		s.accounts = ends.Accounts
	}
	// An api_domain that is no CRM host of this environment is not used: accounts
	// of other products report hosts such as api.zoho.eu.
	if dc, env, ok := crm.DataCenterOf(s.apiDomain); !ok || dc != s.dc || env != s.env {
		s.apiDomain = ""
	}
	if s.endpoint != "" {
		s.accounts, s.apiDomain = s.endpoint, ""
	}
}

// addresses lists every host the connection may talk to.
func (s settings) addresses() []connector.NetworkAddress {
	var out []connector.NetworkAddress
	add := func(a connector.NetworkAddress) {
		if a.Scheme == "" {
			a.Scheme = "https"
		}
		same := func(b connector.NetworkAddress) bool {
			return a.Scheme == b.Scheme && a.Host == b.Host && a.Port == b.Port
		}
		if a.Host != "" && !slices.ContainsFunc(out, same) {
			out = append(out, a)
		}
	}
	if s.endpoint != "" {
		add(addressOf(s.endpoint, "everything (endpoint override)"))
		return out
	}
	ends, _ := crm.EndpointsOf(s.dc, s.env)
	add(addressOf(ends.Accounts, "login"))
	add(addressOf(ends.API, "API"))
	if s.upload != "" {
		add(addressOf(s.upload, "file upload"))
	}
	add(addressOf(ends.Upload, "file upload"))
	for _, h := range ends.Downloads {
		add(connector.NetworkAddress{Host: h, Purpose: "result download"})
	}
	for _, h := range crm.Hosts(s.dc, s.env) {
		add(connector.NetworkAddress{Host: h, Purpose: "file upload or download"})
	}
	if s.method == methodOAuth {
		// The redirect names the accounts server that issued the code, which is
		// that of the user's data center, not of the one that was guessed.
		for _, dc := range crm.DataCenters() {
			other, _ := crm.EndpointsOf(dc, s.env)
			add(addressOf(other.Accounts, "login of accounts in data center "+string(dc)))
		}
	}
	for _, a := range s.extra {
		add(a)
	}
	return out
}

func addressOf(base, purpose string) connector.NetworkAddress {
	u, err := url.Parse(base)
	if err != nil {
		return connector.NetworkAddress{}
	}
	port, _ := strconv.Atoi(u.Port())
	return connector.NetworkAddress{Scheme: u.Scheme, Host: strings.ToLower(u.Hostname()), Port: port, Purpose: purpose}
}
