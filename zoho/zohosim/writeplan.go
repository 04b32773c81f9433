package zohosim

import (
	"fmt"
	"slices"
	"strings"
)

// writeJob is the bulk write part of a job.
type writeJob struct {
	request *writeRequest
	conf    *Config
	plans   []*loadPlan
	doom    *apiError
}

// loadPlan is one resource, compiled: which file, which columns, how to find existing records.
type loadPlan struct {
	resource    *writeResource
	file        *upload
	entry       string
	header      []string
	total       int
	table       *table
	operation   string
	child       bool
	ignoreEmpty bool
	columns     []column
	key         *column // the find_by column
	added       int
	updated     int
	skipped     int
}

// column is one mapping.
type column struct {
	name   string // header, or the API name of a constant
	index  int    // in the file; -1: constant
	field  *Field // nil: id, or ignored
	isID   bool
	format *pattern
	by     string // lookups and users: id, email, or a field of the target
	target *table
	parent int // column of the parent's file; -1
	def    string
	hasDef bool
}

func (p *loadPlan) compile(s *store, conf *Config) *apiError {
	mappings := p.resource.Mappings
	auto := len(mappings) == 0
	if auto {
		mappings = autoMap(p.header)
	}
	for i := range mappings {
		col, err := p.column(s, conf, &mappings[i], auto)
		if err != nil {
			return err
		}
		p.columns = append(p.columns, *col)
	}
	return p.compileKey(conf)
}

// autoMap takes each header as an API name; lookups come as Account_Name.id or Account_Name.Account_Name.
func autoMap(header []string) []fieldMapping {
	list := make([]fieldMapping, len(header))
	for i, h := range header {
		name, by, dotted := strings.Cut(strings.TrimSpace(h), ".")
		list[i] = fieldMapping{APIName: name, Index: &i}
		if dotted {
			list[i].FindBy = &by
		}
	}
	return list
}

func (p *loadPlan) column(s *store, conf *Config, m *fieldMapping, auto bool) (*column, *apiError) {
	col := &column{name: m.APIName, index: -1, parent: -1}
	if m.Index != nil {
		if *m.Index < 0 || *m.Index >= len(p.header) {
			return nil, bad("COLUMN_INDEX_NOT_FOUND", fmt.Sprintf("column index %d is not found", *m.Index))
		}
		col.index, col.name = *m.Index, p.header[*m.Index]
	}
	if m.Default != nil {
		col.def, col.hasDef = m.Default.text(), true
	}
	switch m.APIName {
	case "id":
		col.isID = true
		return col, nil
	case "Layout":
		return col, nil
	}
	f := p.table.byName[m.APIName]
	if f == nil || !f.bulkWritable() {
		return nil, bad("INVALID_FIELD", "invalid mapping. invalid api_name "+m.APIName+".").with(struct {
			APIName string `json:"api_name"`
		}{m.APIName})
	}
	col.field = f
	if m.Format != nil && *m.Format != "" {
		pat, ok := parsePattern(f.DataType, *m.Format)
		if !ok || pat.offset && conf.Variants.RefuseOffsetFormats {
			return nil, bad("INVALID_FORMAT", "invalid format for field "+m.APIName)
		}
		col.format = pat
	}
	return col, col.bindLookup(s, p, m, auto)
}

func (col *column) bindLookup(s *store, p *loadPlan, m *fieldMapping, auto bool) *apiError {
	f := col.field
	if !f.isLookup() && !f.isUser() {
		return nil
	}
	if m.ParentIndex != nil {
		col.parent = *m.ParentIndex
		return nil
	}
	if p.child && f.APIName == "Parent_Id" && m.FindBy == nil {
		return requiredKey("parent_column_index")
	}
	switch {
	case m.FindBy != nil && *m.FindBy != "":
		col.by = *m.FindBy
	case auto || col.index < 0:
		col.by = "id"
	default:
		return requiredKey("find_by")
	}
	if f.isUser() {
		if col.by != "id" && col.by != "email" {
			return bad("INVALID_FIELD", "invalid mapping. invalid find_by "+col.by+".")
		}
		return nil
	}
	col.target = s.tables[f.Lookup]
	if t := col.target; t == nil || col.by != "id" && (t.byName[col.by] == nil || !t.byName[col.by].Unique && t.Display != col.by) {
		return bad("INVALID_FIELD", "invalid mapping. invalid find_by "+col.by+".")
	}
	return nil
}

func (p *loadPlan) compileKey(conf *Config) *apiError {
	by := p.resource.FindBy
	if by == "" {
		return nil
	}
	if by != "id" && conf.Variants.FindByIDOnly {
		return bad("INVALID_DATA", "invalid find_by").with(struct {
			Path string `json:"json_path"`
		}{"$.resource[0].find_by"})
	}
	i := slices.IndexFunc(p.columns, func(c column) bool { return by == "id" && c.isID || c.field != nil && c.field.APIName == by })
	f := p.table.byName[by]
	switch {
	case f == nil:
		return bad("INVALID_FIELD", "invalid mapping. invalid api_name "+by+".")
	case by != "id" && !f.Unique && conf.Variants.NonUniqueFindBy == "insert":
		return nil
	case by != "id" && !f.Unique:
		return bad("INVALID_FIELD", "the find_by field "+by+" is not unique")
	case i < 0:
		return bad("INVALID_FIELD", "invalid mapping. find_by field "+by+" is not mapped")
	}
	p.key = &p.columns[i]
	return nil
}

// echoed are the first three mapped columns, which the result repeats.
func (p *loadPlan) echoed(byFile bool) []*column {
	var list []*column
	for i := range p.columns {
		if p.columns[i].index >= 0 {
			list = append(list, &p.columns[i])
		}
	}
	if byFile {
		slices.SortStableFunc(list, func(a, b *column) int { return a.index - b.index })
	}
	return list[:min(3, len(list))]
}
