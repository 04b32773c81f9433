package cli

import (
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

// The shapes of --json. Fields are only ever added. Instants are RFC 3339 in
// UTC, absent when there is none; durations are seconds. Secrets are never in
// them.

// VersionShape is the result of "version".
type VersionShape struct {
	Version string `json:"version"`
	Go      string `json:"go"`
}

// ConnectorShape is an installed connector.
type ConnectorShape struct {
	ID      string     `json:"id"`
	Version string     `json:"version"`
	Path    string     `json:"path"`
	SHA256  string     `json:"sha256"`
	AddedAt *time.Time `json:"added_at,omitempty"`
	// Program says whether the program is intact, altered, missing or
	// unreadable; in lists only.
	Program string `json:"program,omitempty"`
	// Lock says whether the lock file pins the same program, another one, or
	// none ("-"); in lists only.
	Lock string `json:"lock,omitempty"`
}

// PinShape is a connector of a lock file.
type PinShape struct {
	Connector string `json:"connector"`
	Version   string `json:"version"`
	// SHA256 is what is pinned for this platform; absent when nothing is.
	SHA256 string `json:"sha256,omitempty"`
	// State is "intact" when that program is installed, and otherwise says why
	// it is not.
	State string `json:"state"`
}

// NewConnectorShape is the result of "connectors new".
type NewConnectorShape struct {
	Folder string   `json:"folder"`
	Module string   `json:"module"`
	Files  []string `json:"files"`
}

// ReplayShape is what became of one conversation that was replayed.
type ReplayShape struct {
	Direction string `json:"direction"`
	// Batches is how many batches of records were sent.
	Batches int `json:"batches"`
	// Differences say how what the connector answered differs from what was
	// captured.
	Differences []string `json:"differences"`
}

// ManifestShape is the result of "connectors show".
type ManifestShape struct {
	ID               string              `json:"id"`
	Name             string              `json:"name"`
	Version          string              `json:"version"`
	DocumentationURL string              `json:"documentation_url,omitempty"`
	Inbound          bool                `json:"inbound"`
	Features         []connector.Feature `json:"features"`
	Strategies       []StrategyShape     `json:"strategies"`
}

// StrategyShape is a strategy; an absent slot does nothing.
type StrategyShape struct {
	Name        string           `json:"name"`
	Label       string           `json:"label,omitempty"`
	Description string           `json:"description,omitempty"`
	New         connector.Action `json:"new,omitempty"`
	Changed     connector.Action `json:"changed,omitempty"`
	Removed     connector.Action `json:"removed,omitempty"`
	Unchanged   connector.Action `json:"unchanged,omitempty"`
}

// ConnectionShape is a connection.
type ConnectionShape struct {
	Name       string            `json:"name"`
	Connector  string            `json:"connector"`
	Method     string            `json:"method"`
	Account    string            `json:"account,omitempty"`
	Answers    connector.Answers `json:"answers"`
	Parameters connector.Answers `json:"parameters"`
	// Secrets are the names of the fields that have one.
	Secrets   []string       `json:"secrets"`
	Overrides []config.Limit `json:"overrides,omitempty"`
	CreatedAt *time.Time     `json:"created_at,omitempty"`
	TestedAt  *time.Time     `json:"tested_at,omitempty"`
	// Notices are set by commands that log in.
	Notices []string `json:"notices,omitempty"`
}

// AddressShape is a host a connector talks to.
type AddressShape struct {
	Scheme  string `json:"scheme"`
	Host    string `json:"host"`
	Port    int    `json:"port,omitempty"`
	Purpose string `json:"purpose,omitempty"`
}

// LimitsShape is the result of "connections limits".
type LimitsShape struct {
	Sentences []string       `json:"sentences"`
	Pools     []PoolShape    `json:"pools"`
	Limits    []LimitShape   `json:"limits"`
	Overrides []config.Limit `json:"overrides"`
}

// PoolShape is a pool, and what is left of it.
type PoolShape struct {
	Name          string  `json:"name"`
	Capacity      int64   `json:"capacity"`
	WindowSeconds float64 `json:"window_seconds"`
	Left          int64   `json:"left"`
	// Said is what the app itself says is left, as long as that counts.
	Said *int64 `json:"said_by_app,omitempty"`
}

// LimitShape is a limit in force.
type LimitShape struct {
	Category    string   `json:"category"`
	Rates       []string `json:"rates,omitempty"`
	Concurrency int      `json:"concurrency,omitempty"`
}

// StreamShape is a stream; its schema is a JSON Schema as text.
type StreamShape struct {
	Name        string               `json:"name"`
	Label       string               `json:"label,omitempty"`
	Description string               `json:"description,omitempty"`
	Key         []string             `json:"key,omitempty"`
	Cursor      string               `json:"cursor,omitempty"`
	Modes       []connector.ReadMode `json:"modes,omitempty"`
	Tombstones  bool                 `json:"tombstones"`
	Schema      string               `json:"schema,omitempty"`
}

// SyncShape is a sync, as it stands in a project file, with its name and latest run.
type SyncShape struct {
	Name string `json:"name"`
	config.Sync
	CreatedAt *time.Time `json:"created_at,omitempty"`
	LastRun   *RunShape  `json:"last_run,omitempty"`
}

// RunShape is a run.
type RunShape struct {
	ID         string                     `json:"id"`
	Sync       string                     `json:"sync"`
	Direction  connector.Direction        `json:"direction"`
	State      runner.RunState            `json:"state"`
	StartedAt  *time.Time                 `json:"started_at,omitempty"`
	FinishedAt *time.Time                 `json:"finished_at,omitempty"`
	Deadline   *time.Time                 `json:"deadline,omitempty"`
	Records    int64                      `json:"records"`
	Outcomes   map[connector.Status]int64 `json:"outcomes"`
	Streams    []StreamResultShape        `json:"streams,omitempty"`
	Usage      []UsageShape               `json:"usage,omitempty"`
	Batches    int64                      `json:"batches"`
	Tickets    int64                      `json:"tickets"`
	Timings    map[string]float64         `json:"timings_seconds,omitempty"`
	Error      *ErrorShape                `json:"error,omitempty"`
	Stderr     string                     `json:"stderr,omitempty"`
}

// StreamResultShape is what became of a stream in a run.
type StreamResultShape struct {
	Stream   string      `json:"stream"`
	Table    string      `json:"table"`
	Rows     int64       `json:"rows"`
	Deleted  int64       `json:"deleted"`
	Unparsed int64       `json:"unparsed"`
	Done     bool        `json:"done"`
	Error    *ErrorShape `json:"error,omitempty"`
}

// UsageShape sums the requests of one category.
type UsageShape struct {
	Category string `json:"category"`
	Requests int64  `json:"requests"`
	Pool     string `json:"pool,omitempty"`
	Units    int64  `json:"units,omitempty"`
}

// ErrorShape is why something failed.
type ErrorShape struct {
	Class   connector.Class `json:"class"`
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message"`
	Fields  []FieldShape    `json:"fields,omitempty"`
	Help    []HelpShape     `json:"help,omitempty"`
	ResetAt *time.Time      `json:"reset_at,omitempty"`
}

// FieldShape is an offending field.
type FieldShape struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// HelpShape is a remedy.
type HelpShape struct {
	Description string `json:"description,omitempty"`
	URL         string `json:"url,omitempty"`
}

// RecordShape is one outcome of a run.
type RecordShape struct {
	Seq           int64            `json:"seq"`
	Identifier    string           `json:"identifier"`
	AppIdentifier string           `json:"app_identifier,omitempty"`
	Action        connector.Action `json:"action"`
	Status        connector.Status `json:"status"`
	Class         connector.Class  `json:"class,omitempty"`
	Code          string           `json:"code,omitempty"`
	Field         string           `json:"field,omitempty"`
	Message       string           `json:"message,omitempty"`
	Detail        string           `json:"detail,omitempty"`
	At            *time.Time       `json:"at,omitempty"`
}

// RecordStateShape is how a record of an outbound sync stands.
type RecordStateShape struct {
	Identifier    string           `json:"identifier"`
	AppIdentifier string           `json:"app_identifier,omitempty"`
	Synced        bool             `json:"synced"`
	Action        connector.Action `json:"action,omitempty"`
	Outcome       connector.Status `json:"outcome,omitempty"`
	Class         connector.Class  `json:"class,omitempty"`
	Code          string           `json:"code,omitempty"`
	Field         string           `json:"field,omitempty"`
	Message       string           `json:"message,omitempty"`
	Attempts      int64            `json:"attempts"`
	Run           string           `json:"run,omitempty"`
	At            *time.Time       `json:"at,omitempty"`
	Mark          runner.Mark      `json:"mark,omitempty"`
}

// PlanShape is the result of "syncs plan".
type PlanShape struct {
	SourceRows int64         `json:"source_rows"`
	Records    int64         `json:"records"`
	Unchanged  int64         `json:"unchanged"`
	Skipped    int64         `json:"skipped"`
	HeldBack   int64         `json:"held_back"`
	Actions    []ActionShape `json:"actions"`
	Samples    []SampleShape `json:"samples"`
	// Checked is the number of records looked at for being invalid.
	Checked   int64          `json:"checked"`
	Validated bool           `json:"validated"`
	Findings  []FindingShape `json:"findings"`
	Paths     []PathShape    `json:"paths,omitempty"`
	Costs     []CostShape    `json:"costs,omitempty"`
	Left      []PoolShape    `json:"left"`
}

// ActionShape counts records with one action for one reason.
type ActionShape struct {
	Action connector.Action `json:"action"`
	Reason runner.Reason    `json:"reason"`
	Count  int64            `json:"count"`
}

// SampleShape is a record as it would be sent; a null value is absent.
type SampleShape struct {
	Identifier string            `json:"identifier"`
	Action     connector.Action  `json:"action"`
	Values     map[string]string `json:"values"`
}

// FindingShape is a sample that would not be sent.
type FindingShape struct {
	Identifier string           `json:"identifier"`
	Action     connector.Action `json:"action"`
	Error      *ErrorShape      `json:"error"`
}

// PathShape is one way the connector could send the records, and what it takes.
type PathShape struct {
	Name   string          `json:"name"`
	Label  string          `json:"label,omitempty"`
	Chosen bool            `json:"chosen"`
	Reason string          `json:"reason,omitempty"`
	Costs  []PathCostShape `json:"costs"`
}

// PathCostShape is what a path takes through one limit.
type PathCostShape struct {
	Category string `json:"category"`
	Requests int64  `json:"requests"`
	Pool     string `json:"pool,omitempty"`
	Units    int64  `json:"units,omitempty"`
}

// CostShape is what a run would take from a pool, estimated without the
// connector.
type CostShape struct {
	Category string `json:"category,omitempty"`
	Pool     string `json:"pool"`
	Units    int64  `json:"units"`
	Basis    string `json:"basis"`
}

// FormShape is a form, with the options of its fields where they were asked for.
type FormShape struct {
	Fields       []QuestionShape `json:"fields"`
	MapperFields []OptionShape   `json:"mapper_fields,omitempty"`
	// Template is set where one text is rendered for each record.
	Template *TemplateShape `json:"template,omitempty"`
}

// TemplateShape is what is said of a template.
type TemplateShape struct {
	Label string `json:"label,omitempty"`
	Help  string `json:"help,omitempty"`
	// MaxLength is in characters; 0 is no bound.
	MaxLength int `json:"max_length,omitempty"`
}

// QuestionShape is one field of a form.
type QuestionShape struct {
	Name     string        `json:"name"`
	Kind     string        `json:"kind"`
	Label    string        `json:"label,omitempty"`
	Help     string        `json:"help,omitempty"`
	Default  []string      `json:"default,omitempty"`
	Required bool          `json:"required"`
	Secret   bool          `json:"secret"`
	Multiple bool          `json:"multiple"`
	Options  []OptionShape `json:"options,omitempty"`
}

// OptionShape is a choice or an app field.
type OptionShape struct {
	Value    string `json:"value"`
	Label    string `json:"label,omitempty"`
	Type     string `json:"type,omitempty"`
	Required bool   `json:"required,omitempty"`
	Unique   bool   `json:"unique,omitempty"`
	Disabled string `json:"disabled,omitempty"`
}
