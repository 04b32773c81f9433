package template

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/osteele/liquid"
	"github.com/osteele/liquid/expressions"
	"github.com/osteele/liquid/filters"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Liquid reads Liquid templates. It is safe for concurrent use.
type Liquid struct {
	engine  *liquid.Engine
	filters []string
}

var _ runner.Templates = (*Liquid)(nil)

// New returns a reader of Liquid templates.
func New() *Liquid {
	engine := liquid.NewEngine()
	for _, readsFiles := range []string{"include", "render"} {
		engine.UnregisterTag(readsFiles)
	}
	names := filterNames{}
	filters.AddStandardFilters(names)
	return &Liquid{engine: engine, filters: slices.Sorted(maps.Keys(names))}
}

// filterNames notes what filters there are.
type filterNames map[string]bool

// AddFilter implements the dictionary that filters are added to.
func (n filterNames) AddFilter(name string, _ any) { n[name] = true }

// Parse implements [runner.Templates].
func (l *Liquid) Parse(text string) (parsed runner.Template, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the template cannot be read")
		}
	}()
	found, err := scan(text)
	if err != nil {
		return nil, err
	}
	for _, f := range found.filters {
		if !slices.Contains(l.filters, f.name) {
			return nil, fmt.Errorf("line %d: there is no filter %q; there are %s", f.line, f.name, strings.Join(l.filters, ", "))
		}
	}
	compiled, failure := l.engine.ParseTemplateLocation([]byte(found.exact()), "", 1)
	if failure != nil {
		return nil, errors.New(strings.Replace(failure.Error(), "Liquid error", "it is no Liquid", 1))
	}
	return &template{compiled: compiled, columns: found.columns}, nil
}

// template is a template that was read.
type template struct {
	compiled *liquid.Template
	columns  []string
}

// Columns implements [runner.Template].
func (t *template) Columns() []string { return slices.Clone(t.columns) }

// Render implements [runner.Template].
func (t *template) Render(ctx context.Context, columns []connector.Column, row runner.Row, limit int) (text string, err error) {
	out := &bounded{ctx: ctx, left: limit}
	defer func() {
		// The library panics when its writer fails.
		if p := recover(); p != nil && out.failed == nil {
			err = errors.New("the template cannot be rendered with the values of the row")
		}
		if out.failed != nil {
			text, err = "", out.failed
		}
	}()
	if failure := t.compiled.FRender(out, bindings(columns, row)); failure != nil {
		return "", explain(failure)
	}
	return out.text.String(), nil
}

// explain says where a rendering failed and at what, without the values that it
// failed at.
func explain(failure liquid.SourceError) error {
	at := ""
	if lined, ok := failure.(interface{ LineNumber() int }); ok && lined.LineNumber() > 0 {
		at = fmt.Sprintf("line %d: ", lined.LineNumber())
	}
	var filter expressions.FilterError
	if errors.As(failure.Cause(), &filter) {
		return fmt.Errorf("%sthe filter %s does not take the values of the row", at, filter.FilterName)
	}
	return fmt.Errorf("%sthe template cannot be rendered with the values of the row", at)
}

// bounded is a writer that takes so much and no more.
type bounded struct {
	ctx    context.Context
	text   strings.Builder
	left   int
	failed error
}

// Write implements [io.Writer].
func (b *bounded) Write(p []byte) (int, error) {
	if b.failed == nil {
		if b.left -= len(p); b.left < 0 {
			b.failed = runner.ErrTextTooLarge
		} else if b.ctx.Err() != nil {
			b.failed = context.Cause(b.ctx)
		}
	}
	if b.failed != nil {
		return 0, b.failed
	}
	return b.text.Write(p)
}
