package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed files
var files embed.FS

// Project is what a new connector project is about.
type Project struct {
	// ID is the connector's id: lower-case letters, digits and hyphens,
	// beginning with a letter. Required.
	ID string
	// Module is the Go module's path. Required.
	Module string
	// Version is the version of Sluice to require; v0.0.0 where there is none.
	Version string
	// Replace is the path of a checkout of Sluice to build with; may be empty.
	Replace string
}

var (
	goodID     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
	goodModule = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._~/-]*[a-zA-Z0-9]$`)
	goodPath   = regexp.MustCompile(`^[^\s"]+$`)
)

// Label is the connector's name for people, made of its id.
func (p Project) Label() string {
	words := strings.FieldsFunc(p.ID, func(r rune) bool { return r == '-' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// Package is the name of the project's Go package, made of its id.
func (p Project) Package() string {
	name := strings.ReplaceAll(p.ID, "-", "")
	if token.IsKeyword(name) || name == "main" {
		name += "app"
	}
	return name
}

func (p Project) check() error {
	switch {
	case !goodID.MatchString(p.ID) || strings.HasSuffix(p.ID, "-") || strings.Contains(p.ID, "--"):
		return fmt.Errorf("%q cannot name a connector: use lower-case letters, digits and single hyphens, beginning with a letter, 64 in all", p.ID)
	case !goodModule.MatchString(p.Module) || strings.Contains(p.Module, "//"):
		return fmt.Errorf("%q cannot be the path of a Go module: use something like example.com/sluice-connector-%s", p.Module, p.ID)
	case p.Replace != "" && !goodPath.MatchString(p.Replace):
		return fmt.Errorf("the path %q cannot stand in a go.mod file: it has spaces or quotes", p.Replace)
	}
	return nil
}

// Write writes the project into a folder, which is made, or is empty. It returns
// the files written, in slashes and relative to the folder.
func Write(dir string, p Project) ([]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	there, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(there) > 0 {
		return nil, fmt.Errorf("the folder %s is not empty: name another one", dir)
	}
	var written []string
	err = fs.WalkDir(files, "files", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		target := strings.TrimSuffix(strings.TrimPrefix(name, "files/"), ".tmpl")
		target = strings.ReplaceAll(target, "NAME", p.ID)
		if target == "gitignore" {
			target = ".gitignore"
		}
		written = append(written, target)
		return p.write(name, filepath.Join(dir, filepath.FromSlash(target)))
	})
	return written, err
}

// write fills in one file.
func (p Project) write(name, target string) error {
	t, err := template.New(path.Base(name)).Delims("[[", "]]").Option("missingkey=error").ParseFS(files, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(t.Execute(file, p), file.Close())
}
