package slack

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// streamChannels is the only stream there is.
const streamChannels = "channels"

// channelSchema describes a row to the host, which makes a typed table of it.
const channelSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "id": {"type": "string"},
    "name": {"type": "string"},
    "is_private": {"type": "boolean"},
    "is_archived": {"type": "boolean"},
    "is_member": {"type": ["boolean", "null"]},
    "created": {"type": "string", "format": "date-time"},
    "creator": {"type": "string"},
    "num_members": {"type": ["integer", "null"]},
    "topic": {"type": "string"},
    "purpose": {"type": "string"}
  },
  "required": ["id", "name", "is_private", "is_archived", "created", "creator", "topic", "purpose"]
}`

// channelColumn is a column of the stream, and how its text is found.
type channelColumn struct {
	name string
	kind connector.Kind
	text func(channel) (text string, null bool)
}

var channelColumns = []channelColumn{
	{"id", connector.KindString, func(c channel) (string, bool) { return c.ID, false }},
	{"name", connector.KindString, func(c channel) (string, bool) { return c.Name, false }},
	{"is_private", connector.KindBool, func(c channel) (string, bool) { return strconv.FormatBool(c.Private), false }},
	{"is_archived", connector.KindBool, func(c channel) (string, bool) { return strconv.FormatBool(c.Archived), false }},
	{"is_member", connector.KindBool, func(c channel) (string, bool) {
		if c.Member == nil {
			return "", true
		}
		return strconv.FormatBool(*c.Member), false
	}},
	{"created", connector.KindTimestampTZ, func(c channel) (string, bool) { return time.Unix(c.Created, 0).UTC().Format(time.RFC3339), false }},
	{"creator", connector.KindString, func(c channel) (string, bool) { return c.Creator, false }},
	{"num_members", connector.KindInt64, func(c channel) (string, bool) {
		if c.Members == nil {
			return "", true
		}
		return strconv.FormatInt(*c.Members, 10), false
	}},
	{"topic", connector.KindString, func(c channel) (string, bool) { return c.Topic.Value, false }},
	{"purpose", connector.KindString, func(c channel) (string, bool) { return c.Purpose.Value, false }},
}

// InboundForm asks nothing.
func (s *session) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}

// Streams describes the stream. Slack cannot say what has changed since a time,
// so it is read in full; the host marks channels that are gone as deleted.
func (s *session) Streams(_ context.Context, query connector.StreamQuery) ([]connector.Stream, error) {
	for _, name := range query.Names {
		if name != streamChannels {
			return nil, connector.Errorf(connector.ClassConfig, "UNKNOWN_STREAM", "there is no stream %q; there is %q", name, streamChannels)
		}
	}
	return []connector.Stream{{
		Name: streamChannels, Label: "Channels", Description: "Public channels, and private ones the bot is a member of",
		Schema: channelSchema, Key: []string{"id"}, Modes: []connector.ReadMode{connector.ReadFullRefresh},
	}}, nil
}

// SyncInbound reads the stream.
func (s *session) SyncInbound(ctx context.Context, sync connector.InboundSync, stream connector.InboundStream) error {
	managed := connector.ManagedInbound{Read: s.readChannels}
	return managed.Run(ctx, sync, stream)
}

// listState is where an interrupted read goes on.
type listState struct {
	Cursor string `json:"cursor,omitempty"`
}

// readChannels reads page by page, with a checkpoint after each: rows and cursor
// become durable together, and a crash repeats one page at most.
func (s *session) readChannels(ctx context.Context, selection connector.StreamSelection, out *connector.StreamWriter) (string, error) {
	var state listState
	if selection.State != "" {
		if err := json.Unmarshal([]byte(selection.State), &state); err != nil {
			return "", connector.Errorf(connector.ClassConfig, "STATE", "the state of the stream %s is not one of ours; reset the stream", streamChannels)
		}
	}
	chosen := slices.DeleteFunc(slices.Clone(channelColumns), func(c channelColumn) bool {
		return c.name != "id" && len(selection.Fields) > 0 && !slices.Contains(selection.Fields, c.name)
	})
	var columns []connector.Column
	for _, c := range chosen {
		columns = append(columns, connector.Column{Name: c.name, Type: connector.Type{Kind: c.kind}})
	}
	if err := out.Begin(columns); err != nil {
		return "", err
	}
	texts, nulls := make([]string, len(chosen)), make([]bool, len(chosen))
	for rows := int64(0); ; {
		channels, next, err := s.list(ctx, state.Cursor, pageSize, true)
		if connector.AsError(err) != nil && connector.AsError(err).Code == "INVALID_CURSOR" && rows == 0 && state.Cursor != "" {
			state.Cursor = "" // of a read that was interrupted too long ago
			continue
		}
		if err != nil {
			return "", err
		}
		for _, c := range channels {
			for i := range chosen {
				texts[i], nulls[i] = chosen[i].text(c)
			}
			if err := out.Row(ctx, c.ID, texts, func(i int) bool { return nulls[i] }); err != nil {
				return "", err
			}
		}
		rows += int64(len(channels))
		out.Progress("reading channels", connector.WaitingNone, time.Time{}, rows, 0)
		if next == "" {
			return "{}", nil // the next read begins anew
		}
		state.Cursor = next
		text, _ := json.Marshal(state) // a struct of one string
		if err := out.Checkpoint(ctx, string(text)); err != nil {
			return "", err
		}
	}
}
