package connectortest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Rows of a batch, and batches between checkpoints.
const (
	batchRows   = 5
	checkpoints = 3
)

// streams are what can be read. Notes are the guests without their history.
func (s *session) streams() []connector.Stream {
	schema := `{"type":"object","properties":{"id":{"type":"string"},"changed":{"type":"string","format":"date-time"},"member":{"type":"boolean"},"name":{"type":["string","null"]}}}`
	return []connector.Stream{
		{Name: "guests", Label: "Guests", Schema: schema, Key: []string{"id"}, Cursor: "changed", Tombstones: true,
			Modes: []connector.ReadMode{connector.ReadIncremental, connector.ReadFullRefresh}},
		{Name: "notes", Label: "Notes", Schema: `{"type":"object","properties":{"text":{"type":"string"},"member":{"type":"boolean"}}}`,
			Modes: []connector.ReadMode{connector.ReadFullRefresh}},
	}
}

// Streams lists streams.
func (s *session) Streams(_ context.Context, query connector.StreamQuery) ([]connector.Stream, error) {
	all := s.streams()
	switch s.breaks {
	case "L-702":
		all[0].Schema = ""
	case "L-703":
		all[0].Modes = append(all[0].Modes, "sometimes")
	case "L-704":
		all[0].Schema = strings.Replace(all[0].Schema, `"object"`, `"array"`, 1)
	case "L-705":
		all[0].Key = []string{"number"}
	}
	if len(query.Names) == 0 {
		if s.broken("L-701") {
			all = append(all, all[0])
		}
		return all, nil
	}
	var found []connector.Stream
	for _, name := range query.Names {
		i := slices.IndexFunc(all, func(s connector.Stream) bool { return s.Name == name })
		if i < 0 {
			class := connector.ClassConfig
			if s.broken("L-706") {
				class = connector.ClassInternal
			}
			return nil, connector.Errorf(class, "NO_STREAM", "there is no stream %q", name)
		}
		found = append(found, all[i])
	}
	return found, nil
}

// SyncInbound reads streams.
func (s *session) SyncInbound(ctx context.Context, about connector.InboundSync, stream connector.InboundStream) error {
	first := s.app.count(&s.app.inbound) == 1
	sabotage := newInboundSabotage(stream, s.breaks, first)
	managed := connector.ManagedInbound{Concurrency: 2, Read: s.read}
	return sabotage.end(ctx, managed.Run(ctx, about, sabotage))
}

// state is a cursor.
type state struct {
	After int  `json:"after"`
	Final bool `json:"final"`
}

func (s *session) encode(st state) string {
	text, _ := json.Marshal(st) // cannot fail
	if s.broken("L-717") {
		return "state " + string(text)
	}
	return string(text)
}

func (s *session) decode(text string) (state, error) {
	var st state
	if text == "" {
		return st, nil
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "state ")), &st); err != nil {
		return st, connector.Errorf(connector.ClassConfig, "STATE", "the state is not one of ours")
	}
	if s.broken("L-718") && st.Final || s.broken("L-719") && !st.Final {
		return st, connector.Errorf(connector.ClassConfig, "STATE", "the state is forgotten")
	}
	return st, nil
}

// read reads one stream, page by page.
func (s *session) read(ctx context.Context, selection connector.StreamSelection, out *connector.StreamWriter) (string, error) {
	st, err := s.decode(selection.State)
	if err != nil {
		return "", err
	}
	columns := s.columns(selection)
	if err := out.Begin(columns); err != nil {
		return "", err
	}
	before := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if selection.Mode == connector.ReadIncremental && !s.broken("L-720") {
		before = out.Sync().StartedAt
	}
	out.Progress("reading "+selection.Name, connector.WaitingNone, time.Time{}, int64(st.After), 0)
	at := st.After
	for n := 1; ; n++ {
		page := s.app.page(at, batchRows, before)
		if len(page) == 0 {
			return s.encode(state{After: at, Final: true}), nil
		}
		if err := s.send(ctx, selection.Name, columns, page, out); err != nil {
			return "", err
		}
		at += len(page)
		if n%checkpoints != 0 {
			continue
		}
		if err := out.Checkpoint(ctx, s.encode(state{After: at})); err != nil {
			return "", err
		}
	}
}

// columns are those that were selected, and the key and the cursor.
func (s *session) columns(selection connector.StreamSelection) []connector.Column {
	all := []connector.Column{
		{Name: "id", Type: connector.Type{Kind: connector.KindString}},
		{Name: "changed", Type: connector.Type{Kind: connector.KindTimestampTZ}},
		{Name: "member", Type: connector.Type{Kind: connector.KindBool}},
		{Name: "name", Type: connector.Type{Kind: connector.KindString}},
	}
	always := 2
	if selection.Name == "notes" {
		all, always = []connector.Column{{Name: "text", Type: connector.Type{Kind: connector.KindString}}, all[2]}, 0
	}
	if len(selection.Fields) == 0 || s.broken("L-716") {
		return all
	}
	var some []connector.Column
	for i, c := range all {
		if i < always || slices.Contains(selection.Fields, c.Name) {
			some = append(some, c)
		}
	}
	return some
}

// send sends a page; every seventh guest has no name.
func (s *session) send(ctx context.Context, stream string, columns []connector.Column, page []guest, out *connector.StreamWriter) error {
	for _, g := range page {
		number, _ := strconv.Atoi(strings.TrimPrefix(g.id, "guest-"))
		texts := make([]string, len(columns))
		id := g.id
		for i, c := range columns {
			texts[i] = map[string]string{
				"id": g.id, "changed": g.changed.Format(time.RFC3339), "member": fmt.Sprint(g.member), "name": g.name, "text": "Met " + g.name,
			}[c.Name]
		}
		if stream == "notes" || s.broken("L-715") {
			id = ""
		}
		if err := out.Row(ctx, id, texts, func(i int) bool { return columns[i].Name == "name" && number%7 == 0 }); err != nil {
			return err
		}
	}
	return out.Flush(ctx)
}
