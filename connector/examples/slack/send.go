package slack

import (
	"context"
	"net/url"
	"unicode/utf8"

	"github.com/sluiceio/sluice/connector"
)

// fieldChannel is the channel to post to, by its id.
const fieldChannel = "channel"

// textColumn is the one column of records that a template was rendered for.
const textColumn = "text"

// maxText is where Slack cuts a text off, in characters
// (https://docs.slack.dev/reference/methods/chat.postMessage#truncating). A text
// that would be cut off is not sent.
const maxText = 40_000

// OutboundForm asks for the channel, and has the host render a template.
func (s *session) OutboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{
		Fields: []connector.Field{{
			Name: fieldChannel, Kind: connector.FieldDropdown, Label: "Channel", Required: true, OptionSource: sourceChannels,
			Help: "Where messages are posted. The bot must be a member.",
		}},
		Mapper: &connector.Mapper{Template: &connector.TemplateMapper{
			Label: "Message", Help: "Slack's mrkdwn: *bold*, _italic_, <https://example.com|a link>, :tada:", MaxLength: maxText,
		}},
	}, nil
}

// SyncOutbound posts one message for each record.
//
// A chunk is one record, and one is under way at a time. Slack takes one
// message a second, so that nothing is lost by it; messages stand in the
// channel in the order of the records; and what a crash leaves in doubt is one
// record.
func (s *session) SyncOutbound(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	ctx = connector.WithHost(ctx, stream)
	if err := s.findChannel(ctx, sync.Answers.Get(fieldChannel)); err != nil {
		return err // before any record is taken
	}
	managed := connector.ManagedOutbound{MaxRecords: 1, Concurrency: 1, Write: s.post}
	return managed.Run(ctx, sync, stream)
}

// findChannel makes sure that the channel is there and open.
func (s *session) findChannel(ctx context.Context, id string) error {
	if id == "" {
		return badAnswer(fieldChannel, "choose a channel")
	}
	var found struct {
		Channel channel `json:"channel"`
	}
	if _, err := s.call(ctx, "conversations.info", url.Values{fieldChannel: {id}}, &found); err != nil {
		return err
	}
	if found.Channel.Archived {
		return refused("conversations.info", "is_archived", "")
	}
	return nil
}

// post posts the one record of a chunk.
func (s *session) post(ctx context.Context, chunk *connector.Chunk) error {
	text, err := textOf(chunk.Records, 0)
	if err != nil {
		chunk.Fail(0, connector.StatusInvalid, connector.AsError(err), "")
		return nil
	}
	// From here on the record may have been posted, unless something certain is
	// said about it. Prepare returns when the host has written that down.
	if err := chunk.Prepare(ctx, "{}", false); err != nil {
		return err
	}
	var posted struct {
		Channel string `json:"channel"`
		TS      string `json:"ts"` // identifies a message within its channel
	}
	_, err = s.call(ctx, "chat.postMessage", url.Values{fieldChannel: {chunk.Sync.Answers.Get(fieldChannel)}, "text": {text}}, &posted)
	if err == nil {
		chunk.Succeed(0, posted.Channel+"/"+posted.TS)
		return nil
	}
	if e := connector.AsError(err); certain(err) {
		chunk.Fail(0, connector.StatusFor(e.Class), e, "")
	}
	// A row without an outcome gets the one this error means: IN_DOUBT where the
	// answer is unknown. Some classes, such as AUTH, also end the run.
	return err
}

// textOf returns a record's text, or why it cannot be sent.
func textOf(records *connector.RecordBatch, row int) (string, error) {
	at := records.Schema.Column(textColumn)
	if at < 0 {
		return "", connector.Errorf(connector.ClassConfig, "NO_TEXT_COLUMN", "the records have no column %q: give the sync a template", textColumn)
	}
	text := records.Columns[at].Texts[row]
	switch n := utf8.RuneCountInString(text); {
	case text == "":
		return "", connector.Errorf(connector.ClassRejected, "NO_TEXT", "the message is empty")
	case n > maxText:
		return "", connector.Errorf(connector.ClassTooLarge, "MSG_TOO_LONG", "the message has %d characters; Slack takes %d", n, maxText)
	}
	return text, nil
}

// ValidateRecords finds, without asking Slack, the records that post would find
// INVALID. A host shows that before a run.
func (s *session) ValidateRecords(_ context.Context, _ connector.OutboundSync, batch *connector.RecordBatch) ([]connector.RowOutcome, error) {
	var found []connector.RowOutcome
	for row := range batch.Rows {
		if _, err := textOf(batch, row); err != nil {
			found = append(found, connector.RowOutcome{Row: row, Status: connector.StatusInvalid, Error: connector.AsError(err)})
		}
	}
	return found, nil
}
