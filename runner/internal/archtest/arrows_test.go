package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluiceio/sluice/"

// law says what the packages that a pattern names may not reach. Patterns are
// paths within the module; "/..." at the end includes what is below.
type law struct {
	packages string
	// never lists import paths that must not be reached, transitively. Those
	// that begin with "./" are of this module.
	never []string
	// but lists exceptions to never.
	but []string
	// only, when set, is the complete list of what may be reached beyond the
	// standard library and the package itself.
	only []string
	// optional patterns may name nothing.
	optional bool
}

const (
	grpc     = "google.golang.org/grpc/..."
	protobuf = "google.golang.org/protobuf/..."
	goPlugin = "github.com/hashicorp/go-plugin/..."
	goCmp    = "github.com/google/go-cmp/..."
	script   = "github.com/rogpeppe/go-internal/..."
)

var sqlDrivers = []string{
	"database/sql", "modernc.org/sqlite/...", "github.com/duckdb/...", "github.com/jackc/pgx/...", "github.com/snowflakedb/...",
}

// laws are the arrows. Everything named here must exist, except what is optional.
var laws = []law{
	{packages: "connector", only: []string{}},
	{packages: "connector/internal/wire", never: []string{goPlugin, "./zoho/...", "./runner/..."}},
	{packages: "connector/egress", never: []string{"./gen/...", grpc, protobuf, goPlugin, "./zoho/...", "./runner/...", "./connector/plugin/..."}},
	{packages: "connector/recording", never: []string{"testing", goPlugin, "./zoho/...", "./runner/...", "./connector/plugin/..."}},
	{packages: "connector/replay", never: []string{goPlugin, "./zoho/...", "./runner/...", "./connector/plugin/..."}},
	{packages: "connector/plugin", never: []string{"./zoho/...", "./runner/..."}},
	{packages: "connector/conformance", never: []string{"testing", "./gen/...", grpc, "./zoho/...", "./runner/..."}, optional: true},
	{packages: "connector/examples/slack", never: []string{"./connector/plugin/...", "./gen/...", grpc, goPlugin, "./zoho/...", "./runner/...", "./connector/examples/slack/slackfake"}},
	{packages: "connector/examples/slack/slackfake", never: []string{"./..."}},
	{packages: "connector/examples/slack/cmd/...", never: []string{"./connector/connectortest/...", goCmp, script, "./zoho/...", "./runner/..."}},
	{packages: "connector/examples/tutorial/todo", never: []string{"./connector/plugin/...", "./gen/...", grpc, goPlugin, "./zoho/...", "./runner/...", "./connector/examples/tutorial/todofake"}},
	{packages: "connector/examples/tutorial/todofake", never: []string{"./..."}},
	{packages: "connector/examples/tutorial/cmd/...", never: []string{"./connector/connectortest/...", goCmp, script, "./zoho/...", "./runner/..."}},
	{packages: "connector/connectortest", never: []string{"./zoho/...", "./runner/..."}, optional: true},
	{packages: "zoho/crm/...", never: []string{"./..."}},
	{packages: "zoho/zohosim/...", never: []string{"./..."}},
	{packages: "zoho", never: []string{"./connector/plugin/...", "./gen/...", grpc, goPlugin, "./runner/...", "./zoho/zohosim/..."}},
	{packages: "runner", only: []string{"./connector", "golang.org/x/sync/errgroup"}, never: []string{"net/http"}},
	{packages: "runner/internal/...", never: []string{"./zoho/..."}},
	{packages: "runner/internal/...", never: []string{"./gen/...", "./connector/plugin/..."}, but: []string{"runner/internal/pluginhost", "runner/internal/cli"}},
	{packages: "runner/internal/store/...", never: []string{"./runner/internal/..."}},
	{packages: "runner/internal/pluginhost", never: slices.Concat([]string{"./runner/internal/..."}, sqlDrivers)},
	{packages: "runner/internal/warehouse/...", never: []string{"./runner/internal/..."}},
	{packages: "runner/internal/config", never: slices.Concat([]string{"./runner/internal/...", "net/http"}, sqlDrivers)},
	{packages: "runner/internal/web", never: slices.Concat([]string{"./runner/internal/..."}, sqlDrivers), optional: true},
	{packages: "runner/cmd/sluice", never: []string{"./connector/connectortest/...", "./connector/replay/...", goCmp, script, "./zoho/..."}},
	{packages: "zoho/cmd/sluice-connector-zoho", never: []string{"./connector/connectortest/...", "./connector/replay/...", goCmp, script, "./zoho/zohosim/...", "./runner/..."}},
	{packages: "zoho/cmd/zohosim", never: []string{"./connector/connectortest/...", goCmp, script, "./zoho/crm/...", "./runner/..."}},
}

// pkg is what `go list` tells of a package.
type pkg struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string
	// Error is set when the package cannot be loaded, as one that does not exist.
	Error *struct{ Err string }
	// deps are the packages reached, transitively.
	deps map[string]bool
}

// load lists the packages of the module and everything they reach.
func load(t *testing.T) map[string]*pkg {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Name,Standard,Imports,Error",
		module+"connector/...", module+"zoho/...", module+"runner/...")
	out, err := list.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	all := map[string]*pkg{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("reading what go list says: %v", err)
		}
		// -deps lists a package after what it imports.
		p.deps = map[string]bool{}
		for _, i := range p.Imports {
			p.deps[i] = true
			if q := all[i]; q != nil {
				maps.Copy(p.deps, q.deps)
			}
		}
		all[p.ImportPath] = &p
	}
}

// fits reports whether an import path is named by a pattern.
func fits(pattern, importPath string) bool {
	if rest, ok := strings.CutPrefix(pattern, "./"); ok {
		pattern = module + rest
	}
	if prefix, ok := strings.CutSuffix(pattern, "..."); ok {
		prefix = strings.TrimSuffix(prefix, "/")
		return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
	}
	return importPath == pattern
}

// violations returns what a package reaches against a law.
func (l law) violations(p *pkg, all map[string]*pkg) []string {
	var bad []string
	for _, dep := range slices.Sorted(maps.Keys(p.deps)) {
		standard := all[dep] != nil && all[dep].Standard
		named := func(pattern string) bool { return fits(pattern, dep) }
		switch {
		case fits("./"+l.packages, dep): // a subtree may use itself
		case slices.ContainsFunc(l.never, named):
			bad = append(bad, dep)
		case l.only != nil && !standard && !slices.ContainsFunc(l.only, named):
			bad = append(bad, dep)
		}
	}
	return bad
}

// TestArrows asks of every package what it reaches.
func TestArrows(t *testing.T) {
	t.Parallel()
	all := load(t)
	var missing []string
	for _, l := range laws {
		found := false
		for _, p := range all {
			if !fits("./"+l.packages, p.ImportPath) || slices.Contains(l.but, strings.TrimPrefix(p.ImportPath, module)) {
				continue
			}
			if p.Error != nil {
				continue // missing, or for the compiler to complain about
			}
			found = true
			for _, bad := range l.violations(p, all) {
				t.Errorf("%s reaches %s, which it must not (%s)", short(p.ImportPath), short(bad), road(all, p, bad))
			}
		}
		if !found && !l.optional {
			missing = append(missing, l.packages)
		}
	}
	if len(missing) > 0 {
		t.Errorf("laws speak of packages that do not exist: %s", strings.Join(missing, ", "))
	}
}

// road names the imports that lead from one package to another.
func road(all map[string]*pkg, from *pkg, to string) string {
	steps := []string{short(from.ImportPath)}
	for from.ImportPath != to {
		next := slices.IndexFunc(from.Imports, func(i string) bool { return i == to || all[i] != nil && all[i].deps[to] })
		if next < 0 {
			return fmt.Sprintf("%v", steps)
		}
		from = all[from.Imports[next]]
		steps = append(steps, short(from.ImportPath))
	}
	return strings.Join(steps, " -> ")
}

func short(importPath string) string { return strings.TrimPrefix(importPath, module) }

// TestInternalPackagesDoNotMeet: under runner/internal only cli composes.
func TestInternalPackagesDoNotMeet(t *testing.T) {
	t.Parallel()
	all := load(t)
	family := func(importPath string) string {
		rest, ok := strings.CutPrefix(importPath, module+"runner/internal/")
		if !ok {
			return ""
		}
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	for _, p := range all {
		own := family(p.ImportPath)
		if own == "" || own == "cli" {
			continue
		}
		for dep := range p.deps {
			if other := family(dep); other != "" && other != own {
				t.Errorf("%s reaches %s: only runner/internal/cli composes", short(p.ImportPath), short(dep))
			}
		}
	}
}

// TestNothingImportsAMain: nor the end-to-end tests.
func TestNothingImportsAMain(t *testing.T) {
	t.Parallel()
	all := load(t)
	for _, p := range all {
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, module) {
				continue
			}
			if q := all[i]; q != nil && q.Name == "main" || path.Base(i) == "e2e" {
				t.Errorf("%s imports %s", short(p.ImportPath), short(i))
			}
		}
	}
}

// TestTheLawsBite checks the checker on made-up packages.
func TestTheLawsBite(t *testing.T) {
	t.Parallel()
	all := map[string]*pkg{"net/http": {ImportPath: "net/http", Standard: true}, "fmt": {ImportPath: "fmt", Standard: true}}
	p := func(deps ...string) *pkg {
		q := &pkg{ImportPath: module + "runner", deps: map[string]bool{}}
		for _, d := range deps {
			q.deps[d] = true
		}
		return q
	}
	l := law{packages: "runner", only: []string{"./connector"}, never: []string{"net/http"}}
	for _, row := range []struct {
		deps, want []string
	}{
		{[]string{"fmt", module + "connector"}, nil},
		{[]string{"net/http"}, []string{"net/http"}},
		{[]string{module + "connector/plugin"}, []string{module + "connector/plugin"}},
		{[]string{"example.com/x"}, []string{"example.com/x"}},
	} {
		if got := l.violations(p(row.deps...), all); !slices.Equal(got, row.want) {
			t.Errorf("of %v: %v, want %v", row.deps, got, row.want)
		}
	}
	if !fits("./zoho/...", module+"zoho") || !fits("./zoho/...", module+"zoho/crm") || fits("./zoho/...", module+"zohox") || fits("./zoho", module+"zoho/crm") {
		t.Error("patterns do not mean what they say")
	}
}
