package archtest

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the module's root, seen from this package.
const root = "../../.."

// sources parses every Go file below the three trees of hand-written code, and
// returns them by directory.
func sources(t *testing.T, fset *token.FileSet) map[string]map[string]*ast.File {
	t.Helper()
	found := map[string]map[string]*ast.File{}
	for _, tree := range []string{"connector", "zoho", "runner"} {
		err := filepath.WalkDir(filepath.Join(root, tree), func(file string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "node_modules") {
				return filepath.SkipDir
			}
			if entry.IsDir() || !strings.HasSuffix(file, ".go") {
				return nil
			}
			parsed, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			dir := filepath.Dir(file)
			if found[dir] == nil {
				found[dir] = map[string]*ast.File{}
			}
			found[dir][file] = parsed
			return nil
		})
		if err != nil {
			t.Fatalf("reading %s: %v", tree, err)
		}
	}
	return found
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

func position(fset *token.FileSet, at token.Pos) string {
	p := fset.Position(at)
	file, err := filepath.Rel(root, p.Filename)
	if err != nil {
		file = p.Filename
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(file), p.Line)
}

// TestEveryExportedNameIsDocumented, and every package, in doc.go or main.go.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	for dir, files := range sources(t, fset) {
		var shipped []*ast.File
		for file, parsed := range files {
			if !isTest(file) {
				shipped = append(shipped, parsed)
			}
		}
		if len(shipped) == 0 {
			continue
		}
		p, err := doc.NewFromFiles(fset, shipped, dir, doc.PreserveAST)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		for _, missing := range undocumented(p) {
			t.Errorf("%s: %s has no comment", strings.TrimPrefix(dir, root+"/"), missing)
		}
	}
}

// undocumented lists the exported names of a package without a comment.
func undocumented(p *doc.Package) []string {
	var missing []string
	note := func(comment, name string) {
		if strings.TrimSpace(comment) == "" {
			missing = append(missing, name)
		}
	}
	note(p.Doc, "package "+p.Name)
	for _, v := range slices.Concat(p.Consts, p.Vars) {
		missing = append(missing, undocumentedValues(v)...)
	}
	for _, f := range p.Funcs {
		note(f.Doc, f.Name)
	}
	for _, typ := range p.Types {
		note(typ.Doc, typ.Name)
		for _, v := range slices.Concat(typ.Consts, typ.Vars) {
			missing = append(missing, undocumentedValues(v)...)
		}
		for _, f := range typ.Funcs {
			note(f.Doc, f.Name)
		}
		for _, m := range typ.Methods {
			if !wellKnown[m.Name] {
				note(m.Doc, typ.Name+"."+m.Name)
			}
		}
	}
	return missing
}

// wellKnown methods mean what the standard library says they mean.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "String": true, "Close": true, "Len": true, "Less": true, "Swap": true,
	"ServeHTTP": true, "RoundTrip": true, "Read": true, "Write": true, "MarshalJSON": true, "UnmarshalJSON": true,
}

// undocumentedValues accepts a comment on the group, on the value, or behind it.
func undocumentedValues(v *doc.Value) []string {
	if strings.TrimSpace(v.Doc) != "" {
		return nil
	}
	var missing []string
	for _, spec := range v.Decl.Specs {
		s, ok := spec.(*ast.ValueSpec)
		if !ok || s.Doc != nil || s.Comment != nil {
			continue
		}
		for _, name := range s.Names {
			if name.IsExported() {
				missing = append(missing, name.Name)
			}
		}
	}
	return missing
}

// call names a function of a package called in a file.
type call struct {
	pkg, function string
	at            token.Pos
}

// calls lists the calls of functions of imported packages in a file.
func calls(file *ast.File) []call {
	imported := map[string]string{}
	for _, i := range file.Imports {
		importPath := strings.Trim(i.Path.Value, `"`)
		name := importPath[strings.LastIndexByte(importPath, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		imported[name] = importPath
	}
	var found []call
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && imported[x.Name] != "" {
			found = append(found, call{imported[x.Name], selector.Sel.Name, selector.Pos()})
		}
		return true
	})
	return found
}

// TestNoTestSleeps: a test signals, polls a condition, or runs on a fake clock.
// Inside a synctest bubble a pause costs nothing; there, use time.After.
func TestNoTestSleeps(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	for _, files := range sources(t, fset) {
		for file, parsed := range files {
			if !isTest(file) {
				continue
			}
			for _, c := range calls(parsed) {
				if c.pkg == "time" && c.function == "Sleep" {
					t.Errorf("%s: a test sleeps; signal, poll a condition, or use testing/synctest", position(fset, c.at))
				}
			}
		}
	}
}

// TestOnlyMainEndsTheProcess: no os.Exit, log.Fatal or flag.Parse, and no init,
// outside main packages.
func TestOnlyMainEndsTheProcess(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	for _, files := range sources(t, fset) {
		for file, parsed := range files {
			if parsed.Name.Name == "main" {
				continue
			}
			for _, bad := range endings(parsed, isTest(file)) {
				t.Errorf("%s: %s belongs into main", position(fset, bad.at), bad.function)
			}
		}
	}
}

// endings lists what only main packages may do. The main of a test is one, and
// an example reads like one.
func endings(file *ast.File, test bool) []call {
	var bad []call
	for _, c := range calls(file) {
		switch {
		case c.pkg == "os" && c.function == "Exit" && !test,
			c.pkg == "log" && strings.HasPrefix(c.function, "Fatal") && !test,
			c.pkg == "flag" && c.function == "Parse" && !test:
			bad = append(bad, call{c.pkg, c.pkg + "." + c.function, c.at})
		}
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			bad = append(bad, call{"", "init", f.Pos()})
		}
	}
	return bad
}

// TestTheSourceRulesBite checks the checkers on made-up code.
func TestTheSourceRulesBite(t *testing.T) {
	t.Parallel()
	const code = `package p
import ("os"; l "log"; "time")
const Bare = 1
// Grouped ones.
const ( A = 1; B = 2 )
type T struct{}
func (T) Do() {}
func (T) Close() error { return nil }
// F is documented.
func F() { os.Exit(1); l.Fatalf("x"); time.Sleep(1) }
func init() {}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", code, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range endings(file, false) {
		got = append(got, c.function)
	}
	if want := []string{"os.Exit", "log.Fatalf", "init"}; !slices.Equal(got, want) {
		t.Errorf("endings = %q, want %q", got, want)
	}
	if !slices.ContainsFunc(calls(file), func(c call) bool { return c.pkg == "time" && c.function == "Sleep" }) {
		t.Error("a sleep was overlooked")
	}
	p, err := doc.NewFromFiles(fset, []*ast.File{file}, "p", doc.PreserveAST)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := undocumented(p), []string{"package p", "Bare", "T", "T.Do"}; !slices.Equal(got, want) {
		t.Errorf("undocumented = %q, want %q", got, want)
	}
}
