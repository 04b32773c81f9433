package zoho

import (
	"context"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Fields of the outbound and inbound forms.
const (
	fieldModule      = "module"
	fieldUnique      = "unique_field"
	fieldIgnoreEmpty = "ignore_empty"
	fieldPath        = "path"
	fieldBatchSize   = "batch_size"
	fieldConcurrency = "concurrency"
	fieldOverlap     = "overlap_seconds"
	fieldPoll        = "poll_seconds"
	fieldLayout      = "layout"
)

// Roads a chunk of records can take.
const (
	pathAuto    = "auto"
	pathBulk    = "bulk"
	pathRecords = "records"
)

// Defaults of the knobs. Five jobs at once keep the upload, Zoho's work and
// the download of reports overlapping without leaning on the organisation's
// concurrency; jobs themselves hold no slot.
const (
	defaultBatchSize   = crm.BulkWriteMaxRows
	defaultConcurrency = 5
	maxConcurrency     = 10
	// defaultOverlap re-reads the last seconds before the cursor: Modified_Time
	// has second precision and is stamped before a record becomes visible.
	defaultOverlap = 60
)

// OutboundForm asks for module, unique field and mapping, each dependent on
// the one before.
func (s *session) OutboundForm(_ context.Context, request connector.FormRequest) (connector.Form, error) {
	fields := []connector.Field{{
		Name: fieldModule, Kind: connector.FieldDropdown, Label: "Module", Required: true, OptionSource: sourceModules, ReloadOnChange: true,
		Help: "The module to write to. Only modules that the connected user may write in this way are listed.",
	}}
	chosen := []connector.Condition{{Field: fieldModule}}
	if f, ok := uniqueQuestion(request.Strategy); ok {
		f.DependsOn = chosen
		fields = append(fields, f)
	}
	if creates(request.Strategy) {
		fields = append(fields, connector.Field{
			Name: fieldLayout, Kind: connector.FieldDropdown, Label: "Layout", OptionSource: sourceLayouts, DependsOn: chosen, ReloadOnChange: true,
			Help: "Records are created in this layout, and records that are updated are moved to it. Empty is the module's default layout. What the layout demands must be mapped.",
		})
	}
	if request.Strategy != strategyDelete {
		fields = append(fields, connector.Field{
			Name: fieldIgnoreEmpty, Kind: connector.FieldCheckbox, Label: "Leave fields alone where the value is empty", Default: []string{"false"}, DependsOn: chosen,
			Help: "Otherwise an empty value clears the field of an existing record.",
		})
		fields = append(fields, expertFields(chosen)...)
	}
	form := connector.Form{Fields: fields}
	if module := request.Answers.Get(fieldModule); module != "" {
		form.Mapper = &connector.Mapper{Fields: &connector.FieldMapper{OptionSource: sourceFields, Label: module + " fields"}}
	}
	return form, nil
}

// uniqueQuestion is how a strategy asks by what records are recognised.
func uniqueQuestion(strategy string) (connector.Field, bool) {
	f := connector.Field{Name: fieldUnique, Kind: connector.FieldDropdown, OptionSource: sourceUnique, ReloadOnChange: true}
	switch strategy {
	case strategyUpdate, strategyUpsert, strategyMirror:
		f.Label, f.Required = "Unique field", true
		f.Help = "Records are recognised by this field, which must be mapped. Only fields that Zoho keeps unique are listed."
	case strategyCreate:
		f.Label = "Skip records that exist, by"
		f.Help = "With a unique field, a record that exists already is left alone and counts as done, and a run that was cut off repeats itself safely. " +
			"Without, records whose creation was cut off are in doubt."
	default:
		return f, false
	}
	return f, true
}

func expertFields(chosen []connector.Condition) []connector.Field {
	one, batch, workers := 1.0, float64(crm.BulkWriteMaxRows), float64(maxConcurrency)
	return []connector.Field{
		{
			Name: fieldPath, Kind: connector.FieldRadio, Label: "Way of writing", Default: []string{pathAuto}, DependsOn: chosen,
			Help: "A bulk job costs " + strconv.Itoa(crm.Cost(crm.OpBulkWriteCreate, 0)) + " credits whatever its size, and a few more for its upload, report and questions about it; record calls one credit for ten records.",
			Options: []connector.Option{
				{Value: pathAuto, Label: "Whichever is cheaper"}, {Value: pathBulk, Label: "Always bulk jobs"}, {Value: pathRecords, Label: "Always record calls"},
			},
		},
		{
			Name: fieldBatchSize, Kind: connector.FieldNumber, Label: "Records per job", Default: []string{strconv.Itoa(defaultBatchSize)}, DependsOn: chosen,
			Help: "Zoho takes at most 25,000.", Validation: connector.Validation{Min: &one, Max: &batch},
		},
		{
			Name: fieldConcurrency, Kind: connector.FieldNumber, Label: "Jobs at once", Default: []string{strconv.Itoa(defaultConcurrency)}, DependsOn: chosen,
			Validation: connector.Validation{Min: &one, Max: &workers},
		},
		pollField(chosen),
	}
}

// InboundForm asks for the overlap of incremental reads only; what to read is
// chosen by stream.
func (s *session) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	zero, hour, workers, one := 0.0, 3600.0, float64(maxConcurrency), 1.0
	return connector.Form{Fields: []connector.Field{
		{
			Name: fieldOverlap, Kind: connector.FieldNumber, Label: "Overlap in seconds", Default: []string{strconv.Itoa(defaultOverlap)},
			Help:       "An incremental read begins this long before the last one ended, so that a record stamped early and shown late is not missed.",
			Validation: connector.Validation{Min: &zero, Max: &hour},
		},
		{
			Name: fieldPath, Kind: connector.FieldRadio, Label: "Way of reading", Default: []string{pathAuto},
			Help: "A bulk read costs " + strconv.Itoa(crm.Cost(crm.OpBulkReadCreate, 0)) + " credits and a few more whatever its size, queries 3 credits for 2,000 records. " +
				"Small increments are cheaper by queries; a first read and a full refresh go by bulk reads unless queries are chosen.",
			Options: []connector.Option{
				{Value: pathAuto, Label: "Whichever is cheaper"}, {Value: pathBulk, Label: "Always bulk reads"}, {Value: pathRecords, Label: "Always queries"},
			},
		},
		{
			Name: fieldConcurrency, Kind: connector.FieldNumber, Label: "Modules at once", Default: []string{strconv.Itoa(defaultConcurrency)},
			Validation: connector.Validation{Min: &one, Max: &workers},
		},
		pollField(nil),
	}}, nil
}

// pathAnswer is the chosen way of writing or reading.
func pathAnswer(answers connector.Answers) (string, error) {
	switch path := answers.Get(fieldPath); path {
	case "":
		return pathAuto, nil
	case pathAuto, pathBulk, pathRecords:
		return path, nil
	default:
		return "", configError("INVALID_ANSWER", fieldPath, "choose auto, bulk or records", "the way %q is unknown", path)
	}
}

// maxPollSeconds bounds a fixed cadence of questions about a job.
const maxPollSeconds = 300

// pollField asks how often to ask for a job's state.
func pollField(depends []connector.Condition) connector.Field {
	zero, most := 0.0, float64(maxPollSeconds)
	return connector.Field{
		Name: fieldPoll, Kind: connector.FieldNumber, Label: "Seconds between questions about a job", Default: []string{"0"}, DependsOn: depends,
		Help: "Each question costs a credit. 0 asks often at first and seldom later.", Validation: connector.Validation{Min: &zero, Max: &most},
	}
}

func pollAnswer(answers connector.Answers) (time.Duration, error) {
	n, err := number(answers, fieldPoll, 0, 0, maxPollSeconds)
	return time.Duration(n) * time.Second, err
}

// number reads a whole-number answer within bounds.
func number(answers connector.Answers, field string, def, low, high int) (int, error) {
	text := answers.Get(field)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		e := connector.Errorf(connector.ClassConfig, "INVALID_ANSWER", "%s must be a whole number from %d to %d", field, low, high)
		e.Fields = []connector.FieldViolation{{Field: field, Description: "from " + strconv.Itoa(low) + " to " + strconv.Itoa(high)}}
		return 0, e
	}
	return n, nil
}
