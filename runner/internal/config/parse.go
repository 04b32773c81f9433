package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Project is a project file, understood.
type Project struct {
	// Connections and Syncs are in the order of their names. The connections'
	// secrets are not resolved: see [Project.Secrets].
	Connections []runner.Connection
	Syncs       []runner.Sync

	name    string
	secrets map[string]map[string]string
}

var (
	connectionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	syncName       = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
)

// CheckConnectionName says what is wrong with a name of a connection.
func CheckConnectionName(name string) error {
	if connectionName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q cannot name a connection: use a letter, then letters, digits, - and _, 64 in all", name)
}

// CheckSyncName says what is wrong with a name of a sync.
func CheckSyncName(name string) error {
	if syncName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q cannot name a sync: use a lower-case letter, then lower-case letters, digits, - and _, 64 in all", name)
}

// Parse reads a project file. Name is the file's path: errors name it, and paths
// in the file are relative to its folder. All errors found are returned, joined,
// each with line and column.
func Parse(name string, data []byte) (*Project, error) {
	var file File
	if err := yaml.UnmarshalWithOptions(data, &file, yaml.Strict()); err != nil {
		return nil, syntaxError(name, err)
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	r := &reader{name: name, tree: tree}
	if file.Version != 0 && file.Version != Version {
		r.fail("the version is %d, this sluice reads version %d", []any{file.Version, Version}, "version")
	}
	project := &Project{name: name, secrets: map[string]map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(file.Connections)) {
		project.Connections = append(project.Connections, r.connection(name, file.Connections[name]))
		project.secrets[name] = file.Connections[name].Secrets
	}
	for _, name := range slices.Sorted(maps.Keys(file.Syncs)) {
		project.Syncs = append(project.Syncs, r.sync(name, file.Syncs[name]))
	}
	return project, errors.Join(r.failures...)
}

// syntaxError puts the file's name before what the YAML reader found, on one line.
func syntaxError(name string, err error) error {
	var found yaml.Error
	if errors.As(err, &found) && found.GetToken() != nil {
		at := found.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", name, at.Line, at.Column, found.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

// reader turns what is written into what is meant, and gathers failures.
type reader struct {
	name     string
	tree     *ast.File
	failures []error
}

// fail notes a failure at the place of a path, or of the nearest place above it.
func (r *reader) fail(format string, args []any, path ...any) {
	line, column := 1, 1
	for n := len(path); n > 0; n-- {
		builder := (&yaml.PathBuilder{}).Root()
		for _, part := range path[:n] {
			if index, ok := part.(int); ok {
				builder = builder.Index(uint(index))
			} else {
				builder = builder.Child(part.(string))
			}
		}
		node, err := builder.Build().FilterFile(r.tree)
		if err == nil && node != nil && node.GetToken() != nil {
			at := node.GetToken().Position
			line, column = at.Line, at.Column
			break
		}
	}
	r.failures = append(r.failures, fmt.Errorf("%s:%d:%d: %s", r.name, line, column, fmt.Sprintf(format, args...)))
}

func (r *reader) connection(name string, c Connection) runner.Connection {
	if err := CheckConnectionName(name); err != nil {
		r.fail("%v", []any{err}, "connections", name)
	}
	if c.Connector == "" {
		r.fail("connection %s has no connector: name an installed one", []any{name}, "connections", name)
	}
	for _, field := range slices.Sorted(maps.Keys(c.Secrets)) {
		if kind, rest, _ := strings.Cut(c.Secrets[field], ":"); kind != "env" && kind != "file" || rest == "" {
			r.fail("secret %s must be a reference, env:VARIABLE or file:PATH, not a value: the file is made to be shared", []any{field}, "connections", name, "secrets", field)
		}
	}
	connection := runner.Connection{Name: name, Connector: c.Connector, Method: c.Method, Answers: answersOf(c.Answers)}
	for i, l := range c.Limits {
		connection.Overrides = append(connection.Overrides, r.limit(l, "connections", name, "limits", i))
	}
	return connection
}

func (r *reader) limit(l Limit, path ...any) runner.LimitOverride {
	o := runner.LimitOverride{Category: l.Category, Pool: l.Pool, MaxConcurrency: l.Concurrency, Capacity: l.Capacity}
	if (l.Category == "") == (l.Pool == "") {
		r.fail("a limit names either a category or a pool", nil, path...)
	}
	if l.Pool != "" && (l.Rates != nil || l.Concurrency != nil) || l.Category != "" && l.Capacity != nil {
		r.fail("a pool has a capacity; a category has rates and a concurrency", nil, path...)
	}
	for i, text := range l.Rates {
		rate, err := ParseRate(text)
		if err != nil {
			r.fail("%v", []any{err}, append(slices.Clone(path), "rates", i)...)
		}
		o.Rates = append(o.Rates, rate)
	}
	return o
}

func (r *reader) sync(name string, s Sync) runner.Sync {
	if err := CheckSyncName(name); err != nil {
		r.fail("%v", []any{err}, "syncs", name)
	}
	if s.Connection == "" {
		r.fail("sync %s has no connection", []any{name}, "syncs", name)
	}
	if (s.Outbound == nil) == (s.Inbound == nil) {
		r.fail("sync %s must have either outbound or inbound", []any{name}, "syncs", name)
	}
	sync := runner.Sync{Name: name, Connection: s.Connection}
	if s.Outbound != nil {
		sync.Outbound = r.outbound(*s.Outbound, "syncs", name, "outbound")
	}
	if s.Inbound != nil {
		sync.Inbound = r.inbound(*s.Inbound, "syncs", name, "inbound")
	}
	if s.Deadline != "" {
		var err error
		if sync.Deadline, err = time.ParseDuration(s.Deadline); err != nil || sync.Deadline <= 0 {
			r.fail("deadline %q is not a duration, such as 2h", []any{s.Deadline}, "syncs", name, "deadline")
		}
	}
	for i, l := range s.Limits {
		sync.Overrides = append(sync.Overrides, r.limit(l, "syncs", name, "limits", i))
	}
	return sync
}

func (r *reader) outbound(o Outbound, path ...any) *runner.OutboundSpec {
	below := func(parts ...any) []any { return append(slices.Clone(path), parts...) }
	spec := &runner.OutboundSpec{
		Source:     runner.Source{Table: o.Source.Table, Query: o.Source.Query, File: r.file(o.Source.File)},
		Identifier: o.Identifier, Strategy: o.Strategy, Answers: answersOf(o.Answers),
	}
	if given := len(slices.DeleteFunc([]string{o.Source.Table, o.Source.Query, o.Source.File}, func(s string) bool { return s == "" })); given != 1 {
		r.fail("a source is exactly one of table, query and file", nil, below("source")...)
	}
	if o.Identifier == "" {
		r.fail("the identifier is missing: name the source column that identifies a record", nil, path...)
	}
	if o.Strategy == "" {
		r.fail("the strategy is missing, such as Upsert", nil, path...)
	}
	if spec.Template = o.Template; o.Template != "" && o.Mappings != nil {
		r.fail("an outbound sync has either a template or mappings, not both", nil, below("template")...)
	}
	for i, m := range o.Mappings {
		if m.Field == "" || (m.Column == "") == (m.SQL == "") {
			r.fail("a mapping has a field, and either a column or sql", nil, below("mappings", i)...)
		}
		spec.Mappings = append(spec.Mappings, runner.Mapping{Field: m.Field, Column: m.Column, Expression: m.SQL})
	}
	if o.Retry != nil {
		spec.Retry.MaxAttempts = o.Retry.MaxAttempts
		if o.Retry.Backoff != "" {
			var err error
			if spec.Retry.Backoff, err = time.ParseDuration(o.Retry.Backoff); err != nil || spec.Retry.Backoff < 0 {
				r.fail("backoff %q is not a duration, such as 10m", []any{o.Retry.Backoff}, below("retry", "backoff")...)
			}
		}
	}
	return spec
}

func (r *reader) inbound(in Inbound, path ...any) *runner.InboundSpec {
	spec := &runner.InboundSpec{Answers: answersOf(in.Answers)}
	for i, s := range in.Streams {
		at := append(slices.Clone(path), "streams", i)
		stream, err := streamSpec(s)
		if err != nil {
			r.fail("%v", []any{err}, at...)
		}
		spec.Streams = append(spec.Streams, stream)
	}
	if len(in.Streams) == 0 {
		r.fail("list at least one stream", nil, path...)
	}
	return spec
}

func streamSpec(s Stream) (runner.StreamSpec, error) {
	spec := runner.StreamSpec{Name: s.Name, Table: s.Table, Mode: connector.ReadMode(s.Mode), Storage: runner.Storage(s.Storage), Fields: s.Fields}
	if s.Name == "" {
		return spec, errors.New("a stream has a name")
	}
	if !slices.Contains([]connector.ReadMode{"", connector.ReadFullRefresh, connector.ReadIncremental}, spec.Mode) {
		return spec, fmt.Errorf("stream %s has the unknown mode %q: use full_refresh or incremental", s.Name, s.Mode)
	}
	if !slices.Contains([]runner.Storage{"", runner.StorageMerge, runner.StorageAppend}, spec.Storage) {
		return spec, fmt.Errorf("stream %s has the unknown storage %q: use merge or append", s.Name, s.Storage)
	}
	return spec, nil
}

// ParseStream reads NAME[:mode][:storage], as the command line has it.
func ParseStream(text string) (runner.StreamSpec, error) {
	name, rest, _ := strings.Cut(text, ":")
	s := Stream{Name: name}
	for part := range strings.SplitSeq(rest, ":") {
		switch part {
		case "":
		case string(connector.ReadFullRefresh), string(connector.ReadIncremental):
			s.Mode = part
		case string(runner.StorageMerge), string(runner.StorageAppend):
			s.Storage = part
		default:
			return runner.StreamSpec{}, fmt.Errorf("stream %q: %q is neither a mode (full_refresh, incremental) nor a storage (merge, append)", text, part)
		}
	}
	return streamSpec(s)
}

// file makes a path in the file absolute.
func (r *reader) file(path string) string { return resolve(r.name, path) }

func resolve(name, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(name), path)
}
