package cli

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector/connectortest"
	"github.com/sluiceio/sluice/connector/plugin"
)

// asConnector makes the test binary a connector, which breaks the law of that
// name.
const asConnector = "SLUICE_CONNECTOR_TEST_BREAKS"

func TestMain(m *testing.M) {
	if law, ok := os.LookupEnv(asConnector); ok {
		os.Exit(plugin.Main(connectortest.NewReference(connectortest.NewApp(), law)))
	}
	os.Exit(m.Run())
}

const verifyAnswers = `
connection:
  method: token
  answers: {host: book.example.com}
  secrets: {token: env:BOOK_TOKEN}
refused:
  secrets: {token: file:expired.txt}
outbound:
  strategy: Create
  answers: {book: hall}
  mapping: [{field: name, type: string}]
  records:
    - {id: 1, values: {name: Ada Lovelace}}
    - {id: 2, values: {name: ""}, bad: true}
    - {id: 3, values: {name: 1906}}
inbound:
  streams: [{name: guests, mode: incremental}, {name: notes}]
`

// verifyEnv is an environment in which the test binary is a connector.
func verifyEnv(t *testing.T, law string) (Env, *output, *output, string) {
	t.Helper()
	env, stdout, stderr := testEnv(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env.Environ = []string{asConnector + "=" + law, "BOOK_TOKEN=let-me-in-please", "GORACE=atexit_sleep_ms=0"}
	for name, text := range map[string]string{"answers.yaml": verifyAnswers, "expired.txt": "an-expired-token\n"} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return env, stdout, stderr, program
}

func TestVerifyExaminesAProgram(t *testing.T) {
	t.Parallel()
	env, stdout, stderr, program := verifyEnv(t, "")
	// Without what the reference forgets when its process ends, and without the
	// runs that take their time.
	laws := "L-001,L-012,L-105,L-204,L-205,L-207,L-304,L-407,L-501,L-502,L-508,L-509,L-511,L-516,L-602,L-702,L-708,L-714,L-716,L-718,L-901,L-903"
	code := Main(t.Context(), env, []string{"verify", program, "--config", "answers.yaml", "--json", "--laws", laws})
	if code != ExitOK {
		t.Fatalf("exit code %d: %s%s", code, stderr, stdout)
	}
	var report struct {
		Connector             string
		Held, Broken, Skipped int
	}
	if err := json.Unmarshal([]byte(stdout.String()), &report); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(laws, ",") + 1; report.Held != n || report.Connector != "reference 1.0.0" {
		t.Errorf("%+v, want %d laws held: %s", report, n, stdout)
	}
}

func TestVerifyTellsWhatIsBroken(t *testing.T) {
	t.Parallel()
	env, stdout, stderr, program := verifyEnv(t, "L-304")
	code := Main(t.Context(), env, []string{"verify", program, "--config", "answers.yaml", "--format", "junit", "--laws", "L-302,L-304"})
	if code != 1 || !strings.Contains(stderr.String(), "1 laws of the contract are broken: L-304") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal([]byte(stdout.String()), &suite); err != nil || suite.Tests != 2 || suite.Failures != 1 {
		t.Errorf("%v, %+v: %s", err, suite, stdout)
	}
}

func TestVerifyWithoutAnswersSkipsWhatNeedsThem(t *testing.T) {
	t.Parallel()
	env, stdout, stderr, program := verifyEnv(t, "")
	if code := Main(t.Context(), env, []string{"verify", program}); code != ExitOK {
		t.Fatalf("exit code %d: %s%s", code, stderr, stdout)
	}
	for _, want := range []string{"ok      L-004", "skipped L-501", "no outbound sync was given", "reference 1.0.0: "} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, stdout)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers string
		args    string
		code    int
		want    string
	}{
		"a format that is none":      {"", "--format html", ExitUsage, `no format "html"`},
		"a law that is none":         {"", "--laws L-1", ExitUsage, `no law "L-1"`},
		"a file that is missing":     {"", "--config none.yaml", ExitUsage, "none.yaml"},
		"an unknown key":             {"conection: {}", "--config a.yaml", ExitUsage, `unknown field "conection"`},
		"a secret in the file":       {"connection: {method: token, secrets: {token: abcdefgh}}", "--config a.yaml", ExitUsage, "env:VARIABLE nor file:PATH"},
		"a variable that is not set": {"connection: {method: token, secrets: {token: env:NONE}}", "--config a.yaml", ExitUsage, "NONE is not set"},
		"an unknown type":            {"outbound: {strategy: Create, mapping: [{field: a, type: text}]}", "--config a.yaml", ExitUsage, `"text", which is none`},
		"a value that is not mapped": {"outbound: {strategy: Create, mapping: [{field: a}], records: [{values: {b: 1}}]}", "--config a.yaml", ExitUsage, "b, which is not mapped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, _, stderr, program := verifyEnv(t, "")
			if err := os.WriteFile(filepath.Join(env.WorkDir, "a.yaml"), []byte(c.answers), 0o600); err != nil {
				t.Fatal(err)
			}
			code := Main(t.Context(), env, append([]string{"verify", program}, strings.Fields(c.args)...))
			if code != c.code || !strings.Contains(stderr.String(), c.want) || strings.Contains(stderr.String(), "abcdefgh") {
				t.Errorf("exit code %d, %q; want %d and %q", code, stderr, c.code, c.want)
			}
		})
	}
}

func TestVerifyOfNoConnectorIsALaunchFailure(t *testing.T) {
	t.Parallel()
	env, _, stderr, _ := verifyEnv(t, "")
	path := filepath.Join(env.WorkDir, "teapot")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho short and stout >&2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	code := Main(t.Context(), env, []string{"verify", path})
	if code != ExitConnector || !strings.Contains(stderr.String(), "short and stout") {
		t.Errorf("exit code %d, %s", code, fmt.Sprint(stderr))
	}
}
