package scaffold

import (
	"bytes"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAProjectIsGoodGo: formatted, and without traces of the template.
func TestAProjectIsGoodGo(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"acme", "acme-crm2", "go", "z"} {
		dir := filepath.Join(t.TempDir(), "new")
		written, err := Write(dir, Project{ID: id, Module: "example.com/sluice-connector-" + id, Version: "v1.2.3"})
		if err != nil {
			t.Fatal(err)
		}
		if len(written) < 12 {
			t.Errorf("%s: only %q", id, written)
		}
		for _, name := range written {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "[[") || strings.Contains(name+string(text), "NAME") {
				t.Errorf("%s: %s has traces of its template", id, name)
			}
			if !strings.HasSuffix(name, ".go") {
				continue
			}
			if formatted, err := format.Source(text); err != nil || !bytes.Equal(formatted, text) {
				t.Errorf("%s: %s is not as gofmt writes it: %v", id, name, err)
			}
		}
	}
}

// TestAProjectIsTested runs a project's own tests, which examine its connector by
// every law.
func TestAProjectIsTested(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := Write(dir, Project{ID: "acme-crm", Module: "example.com/x/acme", Version: "v0.0.0", Replace: root}); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestWhatCannotBeAProjectIsRefused(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := Project{ID: "acme", Module: "example.com/acme", Version: "v0.0.0"}
	for name, c := range map[string]struct {
		change func(*Project)
		dir    string
		want   string
	}{
		"an id with capitals":  {func(p *Project) { p.ID = "Acme" }, "", "cannot name a connector"},
		"an id with a slash":   {func(p *Project) { p.ID = "../acme" }, "", "cannot name a connector"},
		"an id with a tail":    {func(p *Project) { p.ID = "acme-" }, "", "cannot name a connector"},
		"a module with quotes": {func(p *Project) { p.Module = `a"b` }, "", "cannot be the path of a Go module"},
		"a path with spaces":   {func(p *Project) { p.Replace = "/my documents" }, "", "cannot stand in a go.mod"},
		"a folder in use":      {func(*Project) {}, full, "is not empty"},
	} {
		p := good
		c.change(&p)
		dir := c.dir
		if dir == "" {
			dir = filepath.Join(t.TempDir(), "new")
		}
		written, err := Write(dir, p)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(written) > 0 {
			t.Errorf("%s: wrote %q, %v", name, written, err)
		}
	}
	if there, _ := os.ReadDir(full); len(there) != 1 {
		t.Errorf("the folder in use has %v", there)
	}
}
