package zoho

import (
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

func TestConnectLearnsWhoAndWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.TimeZone = "Asia/Kolkata" })
	delete(w.connection.Secrets, keptRefreshToken)
	w.connection.Secrets[fieldGrantCode] = []string{w.sim.NewGrantCode(strings.Join(scopesFor(nil), ","))}
	got := w.connect()
	if got.Parameters.Get(keptOrgID) != w.sim.OrgID() || got.Parameters.Get(keptTimeZone) != "Asia/Kolkata" || got.Parameters.Get(keptEdition) != "Enterprise" {
		t.Errorf("parameters %v", got.Parameters)
	}
	if got.Secrets.Get(keptRefreshToken) == "" || got.Secrets.Get(keptAccessToken) == "" || len(got.Notices) != 0 || !strings.Contains(got.Account, w.sim.OrgID()) {
		t.Errorf("connected as %q, notices %v", got.Account, got.Notices)
	}
	for k := range got.Parameters {
		for _, secret := range []string{keptRefreshToken, keptAccessToken, fieldClientSecret} {
			if k == secret {
				t.Errorf("%s is kept in clear", k)
			}
		}
	}
	// A test of the connection later does not use the spent code again, and mints no token.
	mints := w.sim.Counters().TokenMints
	w.connect()
	if n := w.sim.Counters().TokenMints; n != mints {
		t.Errorf("%d tokens were minted for a test", n-mints)
	}
}

func TestConnectThroughTheConsentPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connection.Method = methodOAuth
	delete(w.connection.Secrets, keptRefreshToken)
	code := w.sim.NewGrantCode(strings.Join(scopesFor(nil), ","))
	got, err := w.open().Connect(t.Context(), connector.Authorization{
		Code: code, RedirectURI: "http://127.0.0.1:1/callback", Parameters: map[string]string{"location": "us", "accounts-server": w.base},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Secrets.Get(keptRefreshToken) == "" {
		t.Error("no refresh token")
	}
}

func TestAForgedAccountsServerGetsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connection.Method = methodOAuth
	_, err := w.open().Connect(t.Context(), connector.Authorization{Code: "1000.x.y", Parameters: map[string]string{"accounts-server": "https://accounts.evil.example"}})
	if connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("got %v", err)
	}
	_, err = w.open().Connect(t.Context(), connector.Authorization{Parameters: map[string]string{"error": "access_denied"}})
	if e := connector.AsError(err); e == nil || e.Class != connector.ClassAuth || e.Code != "ACCESS_DENIED_BY_USER" {
		t.Errorf("refused consent: %v", err)
	}
}

func TestLoginFailuresSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*world)
		class connector.Class
		code  string
		says  string
	}{
		"wrong client secret": {func(w *world) { w.connection.Secrets[fieldClientSecret] = []string{"wrong"} }, connector.ClassAuth, "INVALID_CLIENT_SECRET", "API console"},
		"unknown client":      {func(w *world) { w.connection.Answers[fieldClientID] = []string{"1000.NOBODY"} }, connector.ClassAuth, "INVALID_CLIENT", "data center"},
		"revoked grant":       {func(w *world) { w.connection.Secrets[keptRefreshToken] = []string{"1000.gone.gone"} }, connector.ClassAuth, "INVALID_CODE", "Connect again"},
		"used grant code": {func(w *world) {
			delete(w.connection.Secrets, keptRefreshToken)
			w.connection.Secrets[fieldGrantCode] = []string{"1000.used.used"}
		}, connector.ClassAuth, "INVALID_CODE", "once"},
		"missing scope": {func(w *world) {
			delete(w.connection.Secrets, keptRefreshToken)
			w.connection.Secrets[fieldGrantCode] = []string{w.sim.NewGrantCode("ZohoCRM.modules.ALL")}
		}, connector.ClassPermission, "OAUTH_SCOPE_MISMATCH", "ZohoCRM.org.READ"},
		"no code":   {func(w *world) { delete(w.connection.Secrets, keptRefreshToken) }, connector.ClassConfig, "INVALID_ANSWER", "grant code"},
		"no secret": {func(w *world) { delete(w.connection.Secrets, fieldClientSecret) }, connector.ClassConfig, "INVALID_ANSWER", "client secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c.spoil(w)
			_, err := w.open().Connect(t.Context(), connector.Authorization{})
			e := connector.AsError(err)
			if e == nil || e.Class != c.class || e.Code != c.code || !strings.Contains(e.Error(), c.says) {
				t.Fatalf("got %v", err)
			}
			if len(e.Help) == 0 && len(e.Fields) == 0 {
				t.Errorf("no help: %v", err)
			}
			for _, secret := range []string{w.sim.ClientSecret(), w.sim.RefreshToken(), w.connection.Secrets.Get(fieldGrantCode)} {
				if secret != "" && strings.Contains(err.Error(), secret) {
					t.Errorf("a secret is in the error: %v", err)
				}
			}
		})
	}
}

func TestARefusedTokenNamesTheDataCenter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.sim.Fault(zohosim.Fault{Match: zohosim.Match{PathPattern: "/org$"}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 401}}); err != nil {
		t.Fatal(err)
	}
	_, err := w.open().Connect(t.Context(), connector.Authorization{})
	e := connector.AsError(err)
	if e == nil || e.Class != connector.ClassAuth || e.Code != "INVALID_TOKEN" || !strings.Contains(e.Error(), "another data center") {
		t.Errorf("got %v", err)
	}
}

func TestMissingScopesAndUsersAreNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	delete(w.connection.Secrets, keptRefreshToken)
	w.connection.Secrets[fieldGrantCode] = []string{w.sim.NewGrantCode("ZohoCRM.org.READ,ZohoCRM.modules.ALL,ZohoCRM.settings.modules.READ,ZohoCRM.settings.fields.READ")}
	got := w.connect()
	text := strings.Join(got.Notices, "\n")
	if !strings.Contains(text, "ZohoCRM.users.READ") || !strings.Contains(text, "ZohoFiles.files.ALL") || got.Parameters.Get(keptTimeZone) == "" {
		t.Errorf("notices %q", text)
	}
}

func TestOneAccessTokenServesManyRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	header := []string{"Last_Name", "Company", "External_Key"}
	before := w.sim.Counters().TokenMints
	for i := range 3 {
		out := newOut(t, batchOf(connector.ActionCreate, header, 1, []string{"Ray", "Acme", "k"}))
		w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathAuto), header), out)
		if i == 0 && len(out.keeps) == 0 {
			t.Fatal("the fresh token was not reported")
		}
		for _, k := range out.keeps {
			for name, v := range k.Secrets {
				w.connection.Secrets[name] = v
			}
			if k.ExpiresAt.Before(time.Now()) {
				t.Errorf("expires at %s", k.ExpiresAt)
			}
		}
	}
	if n := w.sim.Counters().TokenMints - before; n != 1 {
		t.Errorf("%d tokens for three runs", n)
	}
}

func TestLimitsAskForTheEdition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.Edition = "professional"; c.Users = 20 })
	w.connection.Answers[fieldAddOnCredits] = []string{"1500"}
	got, err := w.open().Limits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Pools[0].Capacity != 61_500 {
		t.Errorf("%d credits", got.Pools[0].Capacity)
	}
}

func TestFormsAndOptionsDependOnOneAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.open()
	ask := func(source, strategy string, answers connector.Answers, search string) map[string]connector.Option {
		t.Helper()
		out := map[string]connector.Option{}
		token := ""
		for {
			page, err := s.Options(t.Context(), connector.OptionsRequest{Source: source, Strategy: strategy, Answers: answers, Search: search, PageToken: token, PageSize: 4})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Options {
				out[o.Value] = o
			}
			if token = page.NextPageToken; token == "" {
				return out
			}
		}
	}
	modules := ask(sourceModules, strategyUpsert, nil, "")
	if _, ok := modules["Leads"]; !ok {
		t.Errorf("modules %v", modules)
	}
	if _, ok := modules["Notes"]; ok {
		t.Error("Notes has no bulk write")
	}
	if got := ask(sourceModules, strategyUpsert, nil, "vehic"); len(got) != 1 {
		t.Errorf("search: %v", got)
	}
	leads := connector.Answers{fieldModule: {"Leads"}}
	unique := ask(sourceUnique, strategyUpsert, leads, "")
	if len(unique) != 2 || !unique["External_Key"].Unique || !unique["Email"].Unique {
		t.Errorf("unique fields %v", unique)
	}
	if got := ask(sourceUnique, strategyUpdate, leads, ""); len(got) != 3 || got["id"].Value == "" {
		t.Errorf("unique fields of an update %v", got)
	}
	leads[fieldUnique] = []string{"External_Key"}
	fields := ask(sourceFields, strategyUpsert, leads, "")
	for name, required := range map[string]bool{"Last_Name": true, "Company": true, "External_Key": true, "Phone": false} {
		if o, ok := fields[name]; !ok || o.Required != required {
			t.Errorf("%s: %+v", name, o)
		}
	}
	for _, name := range []string{"id", "Created_Time", "Record_Image", "Modified_By"} {
		if _, ok := fields[name]; ok {
			t.Errorf("%s is offered", name)
		}
	}
	if fields["Last_Name"].Metadata["max_length"] != "80" || fields["Annual_Revenue"].TypeIcon != "decimal" {
		t.Errorf("hints %+v", fields["Last_Name"])
	}
	contacts := ask(sourceFields, strategyUpsert, connector.Answers{fieldModule: {"Contacts"}}, "")
	if _, ok := contacts["Account_Name.External_Key"]; !ok {
		t.Error("accounts cannot be found by their unique field")
	}
	if _, ok := contacts["Owner.email"]; !ok {
		t.Error("owners cannot be found by e-mail")
	}
	if _, err := s.Options(t.Context(), connector.OptionsRequest{Source: "nonsense"}); connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("unknown source: %v", err)
	}
	form, err := s.OutboundForm(t.Context(), connector.FormRequest{Strategy: strategyUpsert})
	if err != nil || form.Mapper != nil {
		t.Errorf("a mapper before a module: %v", err)
	}
	form, err = s.OutboundForm(t.Context(), connector.FormRequest{Strategy: strategyUpsert, Answers: leads})
	if err != nil || form.Mapper == nil || form.Mapper.Fields.OptionSource != sourceFields || !form.Fields[0].ReloadOnChange {
		t.Errorf("form %+v", form)
	}
	if _, err := s.InboundForm(t.Context(), connector.FormRequest{}); err != nil {
		t.Error(err)
	}
}

func TestValidationNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.open()
	header := []string{"External_Key", "Last_Name", "No_of_Employees"}
	b := batchOf(connector.ActionCreate, header, 1, []string{"a", "x", "1"}, []string{"", "x", "1"}, []string{"c", "x", "many"}, []string{"a", "x", ""})
	sync := syncFor(connector.StrategyUpsert, upsertAnswers(""), header)
	got, err := s.ValidateRecords(t.Context(), sync, b)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v %v", got, err)
	}
	gone := batchOf(connector.ActionDelete, []string{"id"}, 1, []string{"57"}, []string{""}, []string{"x"})
	if got, err := s.ValidateRecords(t.Context(), syncFor(connector.StrategyDelete, upsertAnswers(""), []string{"id"}), gone); err != nil || len(got) != 2 {
		t.Errorf("deletions: %v %v", got, err)
	}
	if len(w.sim.RequestLog()) != 0 {
		t.Error("something was sent")
	}
	if _, err := s.Options(t.Context(), connector.OptionsRequest{Source: sourceFields, Strategy: strategyUpsert, Answers: upsertAnswers("")}); err != nil {
		t.Fatal(err)
	}
	if got, err = s.ValidateRecords(t.Context(), sync, b); err != nil || len(got) != 4 {
		t.Errorf("with the fields known: %v %v", got, err)
	}
}
