package tutorial_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/connector/examples/tutorial/todofake"
	"github.com/sluiceio/sluice/connector/plugin"
)

// What the tutorial's reader calls the module, and what it is here.
const (
	readersModule = "example.com/todo"
	ourModule     = "github.com/sluiceio/sluice/connector/examples/tutorial"
)

var (
	fileBlock = regexp.MustCompile("(?m)^<!-- file: (\\S+) -->\n```(?:go|yaml)\n((?s:.*?))^```\n")
	stepEnd   = regexp.MustCompile(`(?m)^<!-- broken: ?(.*) -->$`)
)

// step is the state of the files at the end of a step, and the laws that are
// still broken then.
type step struct {
	files  map[string]string
	broken []string
}

// steps reads the tutorial. The files of what follows the last examination are
// returned too.
func steps(t *testing.T) (examined []step, last map[string]string) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	last = map[string]string{}
	for {
		end := stepEnd.FindStringSubmatchIndex(rest)
		part := rest
		if end != nil {
			part = rest[:end[0]]
		}
		for _, m := range fileBlock.FindAllStringSubmatch(part, -1) {
			last[m[1]] = m[2]
		}
		if end == nil {
			return examined, last
		}
		s := step{files: map[string]string{}, broken: strings.Fields(rest[end[2]:end[3]])}
		for name, content := range last {
			s.files[name] = content
		}
		examined = append(examined, s)
		rest = rest[end[1]:]
	}
}

// TestTheTutorialShowsTheFiles: what the reader has at the end is what is here.
func TestTheTutorialShowsTheFiles(t *testing.T) {
	t.Parallel()
	_, last := steps(t)
	if len(last) < 8 {
		t.Fatalf("the tutorial has %d files", len(last))
	}
	for name, shown := range last {
		there, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(string(there), strings.ReplaceAll(shown, readersModule+"/", ourModule+"/")); d != "" {
			t.Errorf("%s is shown otherwise (-file +tutorial):\n%s", name, d)
		}
	}
	sources, err := filepath.Glob("todo/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if _, shown := last[name]; !shown {
			t.Errorf("%s is not shown", name)
		}
	}
}

// TestEveryStepRuns builds the connector as it is at the end of each step, in a
// module of its own, and examines the program.
func TestEveryStepRuns(t *testing.T) {
	t.Parallel()
	all, _ := steps(t)
	if len(all) != 3 {
		t.Fatalf("the tutorial has %d steps that are examined", len(all))
	}
	for i, s := range all {
		t.Run(fmt.Sprintf("step %d", i+1), func(t *testing.T) {
			t.Parallel()
			program := build(t, s.files)
			report := conformance.Check(t.Context(), subject(t, program), conformance.Options{
				Stop: 2 * time.Second, Deadline: time.Second, Pace: 10 * time.Millisecond,
			})
			if broken := report.Broken(); !slices.Equal(broken, s.broken) {
				var text strings.Builder
				_ = report.WriteText(&text)
				t.Errorf("laws broken: %v, want %v\n%s", broken, s.broken, text.String())
			}
		})
	}
}

// build builds a step as its reader would, with the packages of this repository
// in the place of a published version.
func build(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files["go.mod"] = "module " + readersModule + "\n\ngo 1.26\n\nrequire github.com/sluiceio/sluice v0.0.0\n\nreplace github.com/sluiceio/sluice => " + root + "\n"
	files["go.sum"] = string(sums)
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "sluice-connector-todo")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/sluice-connector-todo")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// subject is what verify.yaml says.
func subject(t *testing.T, program string) conformance.Subject {
	t.Helper()
	server := httptest.NewServer(todofake.New("let-me-in"))
	t.Cleanup(server.Close)
	connection := connector.Connection{
		Method: "api_key", Answers: connector.Answers{"base_url": {server.URL}}, Secrets: connector.Answers{"api_key": {"let-me-in"}},
		Limits: connector.Limits{Limits: []connector.Limit{{
			Category: "requests", Matchers: []connector.Matcher{{PathPattern: ".*"}}, Rates: []connector.Rate{{Count: 10_000, Per: time.Second}},
		}}},
	}
	refused := connection
	refused.Secrets = connector.Answers{"api_key": {"an-old-key"}}
	text := func(s string) *string { return &s }
	return conformance.Subject{
		Open: func(ctx context.Context) (connector.Connector, func(), error) {
			process, err := plugin.Launch(ctx, plugin.LaunchConfig{Path: program})
			if err != nil {
				return nil, nil, err
			}
			return process, func() { _ = process.Close() }, nil
		},
		Connection: connection, Refused: &refused,
		Outbound: &conformance.Outbound{
			Strategy: "Upsert", ReadAhead: 100,
			Mapping: []connector.MappedField{{Name: "title", Type: connector.Type{Kind: connector.KindString}}},
			Records: []conformance.Record{
				{Identifier: "1", Values: []*string{text("Water the plants")}}, {Identifier: "2", Values: []*string{text("")}, Bad: true},
				{Identifier: "3", Values: []*string{text("Call home")}},
			},
		},
		Inbound: &conformance.Inbound{Streams: []connector.StreamSelection{{Name: "tasks", Mode: connector.ReadIncremental}}},
	}
}
