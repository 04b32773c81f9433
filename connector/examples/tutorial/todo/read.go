package todo

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// InboundForm asks nothing.
func (s *session) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}

// columns are those of the stream.
var columns = []connector.Column{
	{Name: "id", Type: connector.Type{Kind: connector.KindString}},
	{Name: "title", Type: connector.Type{Kind: connector.KindString}},
	{Name: "done", Type: connector.Type{Kind: connector.KindBool}},
	{Name: "due", Type: connector.Type{Kind: connector.KindDate}},
	{Name: "changed", Type: connector.Type{Kind: connector.KindTimestampTZ}},
}

// taskSchema says the same to the host, which makes a typed table of it.
const taskSchema = `{"type": "object", "properties": {
  "id": {"type": "string"}, "title": {"type": "string"}, "done": {"type": "boolean"},
  "due": {"type": ["string", "null"], "format": "date"}, "changed": {"type": "string", "format": "date-time"}}}`

// Streams describes what can be read.
func (s *session) Streams(_ context.Context, query connector.StreamQuery) ([]connector.Stream, error) {
	for _, name := range query.Names {
		if name != "tasks" {
			return nil, connector.Errorf(connector.ClassConfig, "UNKNOWN_STREAM", "there is no stream %q", name)
		}
	}
	return []connector.Stream{{
		Name: "tasks", Label: "Tasks", Schema: taskSchema, Key: []string{"id"}, Cursor: "changed",
		Modes: []connector.ReadMode{connector.ReadIncremental, connector.ReadFullRefresh},
	}}, nil
}

// SyncInbound reads the stream.
func (s *session) SyncInbound(ctx context.Context, sync connector.InboundSync, stream connector.InboundStream) error {
	return connector.ManagedInbound{Read: s.read}.Run(ctx, sync, stream)
}

// state is where a read goes on: what changed from Since on and before Until is
// read page by page, and the next page is Page.
type state struct {
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Page  int       `json:"page,omitempty"`
}

func (s state) text() string {
	text, _ := json.Marshal(s) // times and a number
	return string(text)
}

// read reads up to the run's start, with a checkpoint after each page, and
// returns where the next read begins.
func (s *session) read(ctx context.Context, selection connector.StreamSelection, out *connector.StreamWriter) (string, error) {
	var at state
	if selection.State != "" && json.Unmarshal([]byte(selection.State), &at) != nil {
		return "", connector.Errorf(connector.ClassConfig, "STATE", "the state of the stream is not one of ours; reset it")
	}
	if at.Page == 0 { // not interrupted: a new read
		at.Until, at.Page = out.Sync().StartedAt.UTC(), 1
		if selection.Mode == connector.ReadFullRefresh {
			at.Since = time.Time{}
		}
	}
	chosen := chosenColumns(selection.Fields)
	if err := out.Begin(chosen); err != nil {
		return "", err
	}
	for {
		out.Progress("reading tasks", connector.WaitingNone, time.Time{}, 0, 0)
		next, err := s.readPage(ctx, at, chosen, out)
		if err != nil {
			return "", err
		}
		if next == 0 {
			return state{Since: at.Until}.text(), nil
		}
		at.Page = next
		if err := out.Checkpoint(ctx, at.text()); err != nil {
			return "", err
		}
	}
}

// chosenColumns are those that were selected, all if none was, with the key and
// the cursor in any case.
func chosenColumns(fields []string) []connector.Column {
	return slices.DeleteFunc(slices.Clone(columns), func(c connector.Column) bool {
		return len(fields) > 0 && c.Name != "id" && c.Name != "changed" && !slices.Contains(fields, c.Name)
	})
}

// readPage sends the rows of one page, and returns the number of the next one, 0
// after the last.
func (s *session) readPage(ctx context.Context, at state, columns []connector.Column, out *connector.StreamWriter) (int, error) {
	query := url.Values{"page": {strconv.Itoa(at.Page)}, "changed_before": {at.Until.Format(time.RFC3339Nano)}}
	if !at.Since.IsZero() {
		query.Set("changed_since", at.Since.Format(time.RFC3339Nano))
	}
	var page struct {
		Tasks []struct {
			ID, Title, Changed string
			Done               bool
			Due                *string
		}
		Next int `json:"next_page"`
	}
	if err := s.call(ctx, "GET", "/v1/tasks?"+query.Encode(), nil, &page); err != nil {
		return 0, err
	}
	for _, t := range page.Tasks {
		texts := map[string]string{"id": t.ID, "title": t.Title, "done": strconv.FormatBool(t.Done), "changed": t.Changed}
		if t.Due != nil {
			texts["due"] = *t.Due
		}
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = texts[c.Name]
		}
		null := func(column int) bool { return columns[column].Name == "due" && t.Due == nil }
		if err := out.Row(ctx, t.ID, row, null); err != nil {
			return 0, err
		}
	}
	return page.Next, nil
}
