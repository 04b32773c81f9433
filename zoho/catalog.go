package zoho

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// catalogAge is how long metadata is believed. Forms ask for the same module
// many times within seconds; a sync starts with fresh metadata.
const catalogAge = time.Minute

// catalog remembers modules, fields and layouts for a short while, so that a
// form that is being filled in does not spend a credit at every keystroke.
type catalog struct {
	client *crm.Client
	now    func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	mu    sync.Mutex
	at    time.Time
	value any
}

func newCatalog(client *crm.Client, now func() time.Time) *catalog {
	return &catalog{client: client, now: now, entries: map[string]*entry{}}
}

// forget drops everything, so that the next question is answered by Zoho.
func (c *catalog) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}

// remembered returns what is known under key, or loads it; callers asking for
// the same key wait for one load.
func remembered[T any](c *catalog, key string, load func() (T, error)) (T, error) {
	c.mu.Lock()
	e := c.entries[key]
	if e == nil {
		e = &entry{}
		c.entries[key] = e
	}
	c.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if v, ok := e.value.(T); ok && c.now().Sub(e.at) < catalogAge {
		return v, nil
	}
	v, err := load()
	if err != nil {
		return v, err
	}
	e.value, e.at = v, c.now()
	return v, nil
}

func (c *catalog) modules(ctx context.Context) ([]crm.Module, error) {
	return remembered(c, "modules", func() ([]crm.Module, error) {
		m, err := c.client.Modules(ctx)
		if err != nil {
			return nil, translate(err, "listing the modules")
		}
		return m, nil
	})
}

func (c *catalog) fields(ctx context.Context, module string) ([]crm.Field, error) {
	return remembered(c, "fields "+module, func() ([]crm.Field, error) {
		f, err := c.client.Fields(ctx, module)
		if err != nil {
			return nil, translate(err, "listing the fields of "+module)
		}
		return f, nil
	})
}

// known returns the fields of a module if they were listed before, however
// long ago, without asking.
func (c *catalog) known(module string) ([]crm.Field, bool) {
	c.mu.Lock()
	e := c.entries["fields "+module]
	c.mu.Unlock()
	if e == nil {
		return nil, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f, ok := e.value.([]crm.Field)
	return f, ok
}

func (c *catalog) layouts(ctx context.Context, module string) ([]crm.Layout, error) {
	return remembered(c, "layouts "+module, func() ([]crm.Layout, error) {
		layouts, err := c.client.Layouts(ctx, module)
		if err != nil {
			return nil, translate(err, "listing the layouts of "+module)
		}
		return layouts, nil
	})
}

// layoutFields are the fields a layout demands, by its id. Without, they are
// those every layout demands: records are then created in the default layout,
// which Zoho does not name, so a field that only some layouts demand is left for
// Zoho to judge.
func (c *catalog) layoutFields(ctx context.Context, module, id string) ([]string, error) {
	layouts, err := c.layouts(ctx, module)
	if err != nil {
		return nil, err
	}
	var common []string
	for i, l := range layouts {
		switch {
		case l.ID == id:
			return l.Required, nil
		case i == 0:
			common = slices.Clone(l.Required)
		default:
			common = slices.DeleteFunc(common, func(f string) bool { return !slices.Contains(l.Required, f) })
		}
	}
	if id != "" {
		return nil, configError("UNKNOWN_LAYOUT", fieldLayout, "choose a layout of the list", "the layout %s of %s does not exist", id, module)
	}
	return common, nil
}

// module finds a module by its API name.
func (c *catalog) module(ctx context.Context, name string) (crm.Module, error) {
	modules, err := c.modules(ctx)
	if err != nil {
		return crm.Module{}, err
	}
	for _, m := range modules {
		if m.APIName == name {
			return m, nil
		}
	}
	return crm.Module{}, unknownModule(name)
}

func unknownModule(name string) *connector.Error {
	e := connector.Errorf(connector.ClassConfig, "UNKNOWN_MODULE", "the module %q does not exist in this organisation, or the connected user cannot see it", name)
	e.Fields = []connector.FieldViolation{{Field: fieldModule, Description: "choose a module of the list"}}
	e.Help = []connector.Help{{Description: "Use the module's API name, as Zoho shows it under Setup, Developer Hub, APIs and SDKs, API names."}}
	return e
}

// Streams lists the modules that can be read, with schemas for those named.
func (s *session) Streams(ctx context.Context, query connector.StreamQuery) ([]connector.Stream, error) {
	modules, err := s.catalog.modules(ctx)
	if err != nil {
		return nil, err
	}
	if len(query.Names) == 0 {
		var out []connector.Stream
		for _, m := range modules {
			if m.BulkReadable() {
				out = append(out, bareStream(m))
			}
		}
		return out, nil
	}
	out := make([]connector.Stream, 0, len(query.Names))
	for _, name := range query.Names {
		st, err := s.stream(ctx, modules, name)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

func (s *session) stream(ctx context.Context, modules []crm.Module, name string) (connector.Stream, error) {
	m, err := readableModule(modules, name)
	if err != nil {
		return connector.Stream{}, err
	}
	fields, err := s.catalog.fields(ctx, name)
	if err != nil {
		return connector.Stream{}, err
	}
	st := bareStream(m)
	st.Schema = streamSchema(m, fields)
	setCursor(&st, m, hasCursor(fields))
	if slices.ContainsFunc(fields, computed) && hasCursor(fields) {
		st.Description += " It has computed fields: " + lowerFirst(computedCaveat)
	}
	return st, nil
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func readableModule(modules []crm.Module, name string) (crm.Module, error) {
	i := slices.IndexFunc(modules, func(m crm.Module) bool { return m.APIName == name })
	if i < 0 || !modules[i].BulkReadable() {
		e := connector.Errorf(connector.ClassConfig, "UNKNOWN_STREAM", "there is no stream %q: the module does not exist, cannot be seen by the connected user, or has no bulk read", name)
		e.Help = []connector.Help{{Description: "Choose a stream of the list."}}
		return crm.Module{}, e
	}
	return modules[i], nil
}

const cursorField = "Modified_Time"

// bareStream describes a module without its fields. Subform and linking modules
// often lack Modified_Time; until their fields are known they are promised to
// be readable in full only.
func bareStream(m crm.Module) connector.Stream {
	st := connector.Stream{
		Name: m.APIName, Label: m.Plural, Key: []string{idField}, Description: fmt.Sprintf("The %s module (%s).", m.Plural, m.GeneratedType),
	}
	setCursor(&st, m, keepsDeleted(m))
	return st
}

func setCursor(st *connector.Stream, m crm.Module, has bool) {
	st.Modes, st.Cursor, st.Tombstones = []connector.ReadMode{connector.ReadFullRefresh}, "", false
	if has {
		st.Modes = append(st.Modes, connector.ReadIncremental)
		st.Cursor, st.Tombstones = cursorField, keepsDeleted(m)
	}
}

// keepsDeleted reports whether the module has a list of deleted records.
func keepsDeleted(m crm.Module) bool {
	return m.GeneratedType == "default" || m.GeneratedType == "custom"
}

func hasCursor(fields []crm.Field) bool {
	return slices.ContainsFunc(fields, func(f crm.Field) bool { return f.APIName == cursorField && readable(f) })
}
