package zoho

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// plan is an outbound sync, compiled: what is written where, and how each
// mapped column becomes a cell.
type plan struct {
	strategy    string
	module      crm.Module
	key         string // the field records are found by; "" for plain inserts
	keyCase     bool   // letter case of the key matters
	columns     []target
	ignoreEmpty bool
	path        string
	batch       int
	workers     int
	bulkOnly    bool   // a lookup is found by something else than its id
	otherUnique bool   // another unique field than the key is mapped
	layout      string // id of the layout to create in; "" for the default
	pollEvery   time.Duration
}

// target is one mapped field. The order of a plan's targets is the order of the
// CSV's columns; the first three come back in a job's report.
type target struct {
	name   string // of the mapping: a field, or field.found_by
	field  crm.Field
	findBy string // of lookups and users
	format string // of dates and date-times
	isID   bool
	cell   cellWriter
	json   jsonWriter
}

// compile reads the answers and the mapping of a sync and checks them against
// the module as it is now. Its errors name the answer or field to correct.
func (s *session) compile(ctx context.Context, sync connector.OutboundSync) (*plan, error) {
	p := &plan{
		strategy: sync.Strategy.Name, key: sync.Answers.Get(fieldUnique), ignoreEmpty: sync.Answers.Bool(fieldIgnoreEmpty),
	}
	if err := p.knobs(sync.Answers); err != nil {
		return nil, err
	}
	name := sync.Answers.Get(fieldModule)
	if name == "" {
		return nil, configError("MISSING_ANSWER", fieldModule, "choose a module", "no module is chosen")
	}
	var err error
	if p.module, err = s.catalog.module(ctx, name); err != nil {
		return nil, err
	}
	if reason := unwritable(p.module, p.strategy); reason != "" {
		if reason == reasonHidden {
			reason = "Zoho takes no bulk writes for it"
		}
		return nil, configError("MODULE_NOT_WRITABLE", fieldModule, "choose another module", "the module %s cannot be written with strategy %s: %s", name, p.strategy, reason)
	}
	if p.strategy == strategyDelete {
		return p, nil
	}
	fields, err := s.catalog.fields(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := s.bind(ctx, p, fields, sync.Mapping, sync.Answers); err != nil {
		return nil, err
	}
	if err := p.checkKey(fields); err != nil {
		return nil, err
	}
	return p, s.checkRequired(ctx, p, fields)
}

func configError(code, field, what, format string, args ...any) *connector.Error {
	e := connector.Errorf(connector.ClassConfig, code, format, args...)
	e.Fields = []connector.FieldViolation{{Field: field, Description: what}}
	return e
}

func (p *plan) knobs(answers connector.Answers) (err error) {
	if p.path, err = pathAnswer(answers); err != nil {
		return err
	}
	if p.batch, err = number(answers, fieldBatchSize, defaultBatchSize, 1, crm.BulkWriteMaxRows); err != nil {
		return err
	}
	if p.pollEvery, err = pollAnswer(answers); err != nil {
		return err
	}
	p.workers, err = number(answers, fieldConcurrency, defaultConcurrency, 1, maxConcurrency)
	return err
}

// bind finds the field of every mapped column and orders the columns for the
// report: the key first, then what tells records apart best.
func (s *session) bind(ctx context.Context, p *plan, fields []crm.Field, mapping []connector.MappedField, answers connector.Answers) error {
	if len(mapping) == 0 {
		return configError("NOTHING_MAPPED", "mapping", "map at least one field", "no field of %s is mapped", p.module.APIName)
	}
	if creates(p.strategy) {
		p.layout = answers.Get(fieldLayout)
	}
	if len(mapping) > crm.BulkWriteMaxColumns || p.layout != "" && len(mapping) == crm.BulkWriteMaxColumns {
		return configError("TOO_MANY_FIELDS", "mapping", "map fewer fields", "%d fields of %s are mapped; Zoho takes %d", len(mapping), p.module.APIName, crm.BulkWriteMaxColumns)
	}
	for _, m := range mapping {
		t, err := s.target(ctx, p, fields, m.Name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.columns, func(o target) bool { return o.field.APIName == t.field.APIName }) {
			return configError("MAPPED_TWICE", m.Name, "map it once", "the field %s of %s is mapped twice", t.field.APIName, p.module.APIName)
		}
		p.columns = append(p.columns, t)
		p.bulkOnly = p.bulkOnly || t.findBy != "" && t.findBy != idField && !isUser(t.field)
		p.otherUnique = p.otherUnique || t.field.Unique && !t.isID && t.name != p.key
	}
	zone, err := s.planZone(ctx, p)
	if err != nil {
		return err
	}
	for i := range p.columns {
		p.columns[i].render(zone)
	}
	if err := s.bindOwners(ctx, p); err != nil {
		return err
	}
	slices.SortStableFunc(p.columns, func(a, b target) int { return p.rank(a) - p.rank(b) })
	return nil
}

// planZone asks for the user's zone only where a column needs it.
func (s *session) planZone(ctx context.Context, p *plan) (*time.Location, error) {
	dated := slices.ContainsFunc(p.columns, func(t target) bool { return t.field.DataType == "datetime" || t.field.DataType == "date" })
	if !dated {
		return time.UTC, nil
	}
	return s.zone.get(ctx, s.client)
}

// rank orders columns for the report's echo.
func (p *plan) rank(t target) int {
	kind := typeOf(t.field).Kind
	switch {
	case p.key != "" && t.name == p.key:
		return 0
	case t.isID || t.field.Unique:
		return 1
	case t.field.DataType == "email" || t.field.DataType == "phone":
		return 2
	case t.field.SystemMandatory && kind == connector.KindString:
		return 3
	case t.field.DataType == "text" || kind == connector.KindInt64:
		return 4
	}
	return 5
}

// target finds the field a mapping names.
func (s *session) target(ctx context.Context, p *plan, fields []crm.Field, name string) (target, error) {
	if name == idField && p.strategy == strategyUpdate {
		return target{name: name, isID: true, field: crm.Field{APIName: idField, DataType: "bigint", Unique: true, UniqueCase: true}}, nil
	}
	base, by, dotted := strings.Cut(name, ".")
	i := slices.IndexFunc(fields, func(f crm.Field) bool { return f.APIName == base })
	if i < 0 {
		return target{}, configError("UNKNOWN_FIELD", name, "map to a field of the list", "the mapped field %s does not exist in %s, or the connected user cannot see it", name, p.module.APIName)
	}
	f := fields[i]
	if !writable(f, p.strategy) {
		return target{}, configError("READ_ONLY_FIELD", name, "remove it from the mapping", "the mapped field %s of %s cannot be written with strategy %s", name, p.module.APIName, p.strategy)
	}
	t := target{name: name, field: f}
	switch {
	case isUser(f) && (!dotted || by == "email"):
		t.findBy = idField
		if dotted {
			t.findBy = by
		}
		return t, nil
	case f.DataType == "lookup" && !dotted:
		t.findBy = idField
		return t, nil
	case f.DataType == "lookup":
		t.findBy = by
		return t, s.checkFoundBy(ctx, f, by, name)
	case dotted:
		return t, configError("UNKNOWN_FIELD", name, "map to a field of the list", "the mapped field %s of %s is no lookup, so nothing can follow the dot", base, p.module.APIName)
	}
	return t, nil
}

func (s *session) checkFoundBy(ctx context.Context, f crm.Field, by, name string) error {
	targets, err := s.catalog.fields(ctx, f.LookupModule)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(targets, func(t crm.Field) bool { return t.APIName == by && t.Unique }) {
		return nil
	}
	return configError("UNKNOWN_FIELD", name, "find the record by a unique field", "the mapped field %s looks records of %s up by %s, which is no unique field there", name, f.LookupModule, by)
}

// checkKey makes sure that the unique field is one, and is mapped.
func (p *plan) checkKey(fields []crm.Field) error {
	if p.key == "" {
		if p.strategy == strategyCreate {
			return nil
		}
		return configError("MISSING_ANSWER", fieldUnique, "choose a unique field", "strategy %s needs a unique field of %s to recognise records by", p.strategy, p.module.APIName)
	}
	if p.key == idField && p.strategy != strategyUpdate {
		return configError("INVALID_ANSWER", fieldUnique, "choose another field", "strategy %s creates records, which have no id yet: the record id cannot be the unique field", p.strategy)
	}
	if p.key != idField {
		i := slices.IndexFunc(fields, func(f crm.Field) bool { return f.APIName == p.key })
		switch {
		case i < 0:
			return configError("UNKNOWN_FIELD", fieldUnique, "choose a field of the list", "the unique field %s does not exist in %s", p.key, p.module.APIName)
		case !fields[i].Unique:
			return configError("NOT_UNIQUE", fieldUnique, "choose a unique field, or make this one unique in Zoho", "the field %s of %s is not unique", p.key, p.module.APIName)
		}
		p.keyCase = fields[i].UniqueCase
	}
	if p.columns[0].name != p.key {
		return configError("KEY_NOT_MAPPED", p.key, "map it", "the unique field %s of %s is not mapped", p.key, p.module.APIName)
	}
	return nil
}

// checkRequired refuses a mapping that Zoho would refuse after an upload.
func (s *session) checkRequired(ctx context.Context, p *plan, fields []crm.Field) error {
	required, err := s.required(ctx, p.module, fields, p.strategy, p.layout)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range required {
		if !slices.ContainsFunc(p.columns, func(t target) bool { return t.field.APIName == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	e := connector.Errorf(connector.ClassConfig, "MANDATORY_FIELDS_NOT_MAPPED", "mandatory fields of %s are not mapped: %s", p.module.APIName, strings.Join(missing, ", "))
	for _, name := range missing {
		e.Fields = append(e.Fields, connector.FieldViolation{Field: name, Description: "map it; records cannot be created without"})
	}
	e.Help = []connector.Help{{Description: "Map them, or use strategy Update, which creates nothing."}}
	return e
}

// operation is what a bulk write job does with records of an action. Upsert
// and Mirror say upsert for both creations and changes: it converges whatever
// is in Zoho already, so that repeating it does no harm.
func (p *plan) operation() crm.Operation {
	switch p.strategy {
	case strategyCreate:
		return crm.BulkInsert
	case strategyUpdate:
		return crm.BulkUpdate
	}
	return crm.BulkUpsert
}

// idempotent reports whether writing the same records again does no harm.
func (p *plan) idempotent() bool { return p.key != "" }

// mappings are the job's field mappings, in the order of the columns.
func (p *plan) mappings() []crm.BulkWriteMapping {
	out := make([]crm.BulkWriteMapping, len(p.columns))
	for i, t := range p.columns {
		out[i] = crm.BulkWriteMapping{Field: t.field.APIName, Index: i, Format: t.format, FindBy: t.findBy}
	}
	if p.layout != "" { // last, so that the report does not echo it
		out = append(out, crm.BulkWriteMapping{Field: layoutField, Index: -1, Default: p.layout})
	}
	return out
}

// header is the first row of the CSV. Names need only be distinct: the mapping
// goes by position.
func (p *plan) header() []string {
	out := make([]string, len(p.columns))
	for i, t := range p.columns {
		out[i] = t.name
	}
	return out
}
