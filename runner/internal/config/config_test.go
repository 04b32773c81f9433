package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

const example = `version: 1
connections:
  crm:
    connector: zoho-crm
    method: self_client
    answers: {data_center: eu, addon_credits: 007, tags: [a, "b"], sandbox: true}
    secrets: {client_secret: env:SECRET, grant_code: file:grant.txt}
    limits:
      - {category: records, rates: [100/minute, 5/2s], concurrency: 3}
      - {pool: credits, capacity: 20000}
syncs:
  companies:
    connection: crm
    outbound:
      source: {file: data/companies.csv}
      identifier: id
      strategy: Upsert
      answers: {module: Accounts}
      mappings:
        - {field: Account_Name, column: name}
        - field: Website
          sql: |
            'https://'
            || domain
      retry: {max_attempts: 3, backoff: 10m}
  accounts:
    connection: crm
    inbound:
      streams:
        - {name: Accounts, table: crm.accounts, mode: incremental, storage: merge, fields: [id]}
        - {name: Deals}
`

func wanted() ([]runner.Connection, []runner.Sync) {
	concurrency, capacity := 3, int64(20000)
	return []runner.Connection{{
			Name: "crm", Connector: "zoho-crm", Method: "self_client",
			Answers: connector.Answers{"data_center": {"eu"}, "addon_credits": {"007"}, "tags": {"a", "b"}, "sandbox": {"true"}},
			Overrides: []runner.LimitOverride{
				{Category: "records", Rates: []connector.Rate{{Count: 100, Per: time.Minute}, {Count: 5, Per: 2 * time.Second}}, MaxConcurrency: &concurrency},
				{Pool: "credits", Capacity: &capacity},
			},
		}}, []runner.Sync{
			{Name: "accounts", Connection: "crm", Inbound: &runner.InboundSpec{Streams: []runner.StreamSpec{
				{Name: "Accounts", Table: "crm.accounts", Mode: "incremental", Storage: "merge", Fields: []string{"id"}}, {Name: "Deals"},
			}}},
			{Name: "companies", Connection: "crm", Outbound: &runner.OutboundSpec{
				Source: runner.Source{File: "/project/data/companies.csv"}, Identifier: "id", Strategy: "Upsert",
				Answers:  connector.Answers{"module": {"Accounts"}},
				Mappings: []runner.Mapping{{Field: "Account_Name", Column: "name"}, {Field: "Website", Expression: "'https://'\n|| domain\n"}},
				Retry:    runner.RetryPolicy{MaxAttempts: 3, Backoff: 10 * time.Minute},
			}},
		}
}

func TestParseUnderstandsEverythingWritten(t *testing.T) {
	t.Parallel()
	project, err := Parse("/project/sluice.yaml", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	connections, syncs := wanted()
	if diff := cmp.Diff(connections, project.Connections); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(syncs, project.Syncs); diff != "" {
		t.Errorf("syncs (-want +got):\n%s", diff)
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	connections, syncs := wanted()
	connections[0].Secrets = connector.Answers{"client_secret": {"very-secret"}}
	text, err := Write(connections, syncs)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "very-secret") {
		t.Errorf("the file holds a secret:\n%s", text)
	}
	project, err := Parse("/elsewhere/sluice.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	connections[0].Secrets = nil
	if diff := cmp.Diff(connections, project.Connections); diff != "" {
		t.Errorf("connections (-want +got):\n%s\n%s", diff, text)
	}
	if diff := cmp.Diff(syncs, project.Syncs); diff != "" {
		t.Errorf("syncs (-want +got):\n%s\n%s", diff, text)
	}
}

func TestATemplateIsWrittenAndReadBack(t *testing.T) {
	t.Parallel()
	sync := runner.Sync{Name: "news", Connection: "chat", Outbound: &runner.OutboundSpec{
		Source: runner.Source{Table: "t"}, Identifier: "id", Strategy: "Send", Template: "{{ name }}:\n  *{{ price }}* # \"now\"\n",
	}}
	text, err := Write(nil, []runner.Sync{sync})
	if err != nil {
		t.Fatal(err)
	}
	project, err := Parse("p.yaml", text)
	if err != nil || len(project.Syncs) != 1 || project.Syncs[0].Outbound.Template != sync.Outbound.Template || project.Syncs[0].Outbound.Mappings != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestErrorsNameLineAndColumn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":             {"a: [", "p.yaml:1:"},
		"unknown key":         {"version: 1\nconections: {}", `p.yaml:2:1: unknown field "conections"`},
		"another version":     {"version: 2", "p.yaml:1:10: the version is 2"},
		"no connector":        {"connections:\n  a:\n    method: x", "p.yaml:3:"},
		"secret in clear":     {"connections:\n  a:\n    connector: z\n    secrets:\n      token: abc", "p.yaml:5:14: secret token must be a reference"},
		"bad name":            {"syncs:\n  Big:\n    connection: a\n    inbound: {streams: [{name: x}]}", `"Big" cannot name a sync`},
		"both directions":     {"syncs:\n  s:\n    connection: a", "either outbound or inbound"},
		"two sources":         {"syncs:\n  s:\n    connection: a\n    outbound:\n      source: {table: a, file: b}\n      identifier: i\n      strategy: u\n      mappings: []", "p.yaml:5:15: a source is exactly one"},
		"mapping of nothing":  {"syncs:\n  s:\n    connection: a\n    outbound:\n      source: {table: a}\n      identifier: i\n      strategy: u\n      mappings:\n        - {field: F}", "p.yaml:9:"},
		"two ways to map":     {"syncs:\n  s:\n    connection: a\n    outbound:\n      source: {table: a}\n      identifier: i\n      strategy: u\n      template: t\n      mappings:\n        - {field: F, column: c}", "p.yaml:8:17: an outbound sync has either a template or mappings"},
		"bad rate":            {"connections:\n  a:\n    connector: z\n    limits:\n      - {category: c, rates: [fast]}", `p.yaml:5:31: rate "fast"`},
		"bad mode":            {"syncs:\n  s:\n    connection: a\n    inbound:\n      streams: [{name: x, mode: quick}]", `unknown mode "quick"`},
		"a value of no shape": {"connections:\n  a:\n    connector: z\n    answers: {x: {y: z}}", "p.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("p.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestSecretsComeFromWhereTheFileSays(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "grant.txt"), []byte("code\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	project, err := Parse(filepath.Join(folder, "p.yaml"), []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	got, err := project.Secrets("crm", func(name string) (string, bool) { return "of " + name, true })
	if diff := cmp.Diff(connector.Answers{"client_secret": {"of SECRET"}, "grant_code": {"code"}}, got); diff != "" || err != nil {
		t.Errorf("secrets: %v\n%s", err, diff)
	}
	_, err = project.Secrets("crm", func(string) (string, bool) { return "", false })
	if err == nil || !strings.Contains(err.Error(), "SECRET is not set") {
		t.Errorf("error %v, want the missing variable in it", err)
	}
}

func TestDiffNamesWhatChanged(t *testing.T) {
	t.Parallel()
	_, syncs := wanted()
	was := WrittenSync(syncs[1])
	syncs[1].Outbound.Strategy = "Mirror"
	syncs[1].Outbound.Mappings = append([]runner.Mapping{{Field: "Phone", Column: "phone"}}, syncs[1].Outbound.Mappings[:1]...)
	changes, err := Diff(was, WrittenSync(syncs[1]))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, c.String())
	}
	want := []string{
		`+ outbound.mappings.Phone.column: "phone"`, `+ outbound.mappings.Phone.field: "Phone"`,
		`- outbound.mappings.Website.field: "Website"`, `- outbound.mappings.Website.sql: "'https://'\n|| domain\n"`,
		`~ outbound.strategy: "Upsert" -> "Mirror"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if same, err := Diff(was, was); err != nil || same != nil {
		t.Errorf("a thing differs from itself: %v, %v", same, err)
	}
}

func TestParseStream(t *testing.T) {
	t.Parallel()
	got, err := ParseStream("Leads:append:full_refresh")
	if want := (runner.StreamSpec{Name: "Leads", Mode: connector.ReadFullRefresh, Storage: runner.StorageAppend}); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, text := range []string{"", ":merge", "Leads:quick"} {
		if _, err := ParseStream(text); err == nil {
			t.Errorf("ParseStream(%q) found nothing wrong", text)
		}
	}
}
