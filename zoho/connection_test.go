package zoho

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

func answersFor(dc, env string) connector.Connection {
	return connector.Connection{Method: methodSelfClient, Answers: connector.Answers{fieldDataCenter: {dc}, fieldEnvironment: {env}, fieldClientID: {"1000.X"}}}
}

func TestFormsDescribeBothMethods(t *testing.T) {
	t.Parallel()
	form := connectionForm(connector.Answers{fieldDataCenter: {"EU"}})
	if len(form.Methods) != 2 || form.Methods[0].OAuth == nil || form.Methods[1].OAuth != nil {
		t.Fatalf("methods: %+v", form.Methods)
	}
	o := form.Methods[0].OAuth
	if o.AuthorizationURL != "https://accounts.zoho.eu/oauth/v2/auth" || o.ScopeSeparator != "," || o.Parameters["access_type"] != "offline" || o.Parameters["prompt"] != "consent" {
		t.Errorf("template: %+v", o)
	}
	if _, err := url.Parse(o.AuthorizationURL); err != nil {
		t.Error(err)
	}
	for _, m := range form.Methods {
		seen := map[string]bool{}
		for _, f := range m.Form.Fields {
			if seen[f.Name] {
				t.Errorf("%s: field %s twice", m.Name, f.Name)
			}
			seen[f.Name] = true
		}
		if !seen[fieldClientSecret] || seen[fieldGrantCode] != (m.Name == methodSelfClient) {
			t.Errorf("%s: fields %v", m.Name, seen)
		}
	}
	for _, f := range form.Methods[1].Form.Fields {
		if (f.Name == fieldClientSecret || f.Name == fieldGrantCode) && !f.Secret {
			t.Errorf("%s is not secret", f.Name)
		}
	}
}

func TestAddressesCoverEveryHostOfTheDataCenter(t *testing.T) {
	t.Parallel()
	for _, dc := range crm.DataCenters() {
		for _, env := range []string{"production", "sandbox", "developer"} {
			s, err := parseSettings(answersFor(string(dc), env))
			if err != nil {
				t.Fatal(err)
			}
			var hosts []string
			for _, a := range s.addresses() {
				if a.Scheme != "https" || a.Purpose == "" {
					t.Errorf("%s: %+v", dc, a)
				}
				hosts = append(hosts, a.Host)
			}
			for _, want := range crm.Hosts(dc, crm.Environment(env)) {
				if !slices.Contains(hosts, want) {
					t.Errorf("%s %s: %s is not announced", dc, env, want)
				}
			}
		}
	}
}

func TestEndpointOverrideIsTheOnlyHost(t *testing.T) {
	t.Parallel()
	c := answersFor("EU", "production")
	c.Answers[fieldEndpointURL] = []string{"http://127.0.0.1:9000/"}
	c.Addresses = []connector.NetworkAddress{{Host: "www.zohoapis.eu"}}
	s, err := parseSettings(c)
	if err != nil {
		t.Fatal(err)
	}
	got := s.addresses()
	if len(got) != 1 || got[0].Host != "127.0.0.1" || got[0].Port != 9000 || got[0].Scheme != "http" {
		t.Errorf("addresses: %+v", got)
	}
	if s.accounts != "http://127.0.0.1:9000" {
		t.Errorf("accounts: %s", s.accounts)
	}
}

func TestBadAnswersNameTheirField(t *testing.T) {
	t.Parallel()
	for field, value := range map[string]string{
		fieldDataCenter: "MARS", fieldEnvironment: "staging", fieldClientID: "", fieldAddOnCredits: "-5", fieldEndpointURL: "ftp://x", fieldUploadURL: "https://u:p@x",
	} {
		c := answersFor("US", "production")
		c.Answers[field] = []string{value}
		_, err := parseSettings(c)
		e := connector.AsError(err)
		if e == nil || e.Class != connector.ClassConfig || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("%s=%q: %v", field, value, err)
		}
	}
	c := answersFor("US", "production")
	c.Method = "magic"
	if e := connector.AsError(func() error { _, err := parseSettings(c); return err }()); e == nil || e.Class != connector.ClassConfig {
		t.Error("an unknown method passed")
	}
}

func TestWhereTheAccountWasFoundIsKeptUntilTheAnswerChanges(t *testing.T) {
	t.Parallel()
	c := answersFor("US", "production")
	c.Parameters = connector.Answers{keptDataCenter: {"EU"}, keptAsked: {"US"}, keptAPIDomain: {"https://www.zohoapis.eu"}, keptAccounts: {"https://accounts.zoho.eu"}}
	s, err := parseSettings(c)
	if err != nil || s.dc != crm.EU || s.apiDomain != "https://www.zohoapis.eu" || s.accounts != "https://accounts.zoho.eu" {
		t.Errorf("found: %+v %v", s, err)
	}
	c.Answers[fieldDataCenter] = []string{"IN"}
	s, err = parseSettings(c)
	if err != nil || s.dc != crm.IN || s.apiDomain != "" || s.accounts != "https://accounts.zoho.in" {
		t.Errorf("answer changed: %+v %v", s, err)
	}
}

func TestScopesCoverOneAnother(t *testing.T) {
	t.Parallel()
	if got := missingScopes(scopesFor(nil), nil); got != nil {
		t.Errorf("an untold grant: %v", got)
	}
	if got := missingScopes(scopesFor(nil), scopesFor(nil)); got != nil {
		t.Errorf("all granted: %v", got)
	}
	granted := []string{"ZohoCRM.settings.ALL", "ZohoCRM.bulk.ALL", "ZohoCRM.org.READ", "ZohoCRM.modules.ALL"}
	got := missingScopes(scopesFor(nil), granted)
	if len(got) != 1 || !strings.Contains(got[0], "ZohoFiles.files.ALL") || !strings.Contains(got[0], "ZohoCRM.users.READ") || strings.Contains(got[0], "settings") {
		t.Errorf("missing: %v", got)
	}
}
