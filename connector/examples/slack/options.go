package slack

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// sourceChannels is the option source of the channel to post to.
const sourceChannels = "channels"

// pageSize is what Slack recommends at most for conversations.list.
const pageSize = 200

// channel is a conversation as Slack describes it
// (https://docs.slack.dev/reference/objects/conversation-object). Pointers tell
// what Slack leaves out from what is zero.
type channel struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Private  bool   `json:"is_private"`
	Archived bool   `json:"is_archived"`
	Member   *bool  `json:"is_member"`
	Created  int64  `json:"created"` // seconds since 1970
	Creator  string `json:"creator"`
	Members  *int64 `json:"num_members"`
	Topic    words  `json:"topic"`
	Purpose  words  `json:"purpose"`
}

type words struct {
	Value string `json:"value"`
}

// list returns one page of channels, and the cursor of the next one.
func (s *session) list(ctx context.Context, cursor string, size int, archived bool) ([]channel, string, error) {
	var page struct {
		Channels []channel `json:"channels"`
		Metadata struct {
			NextCursor string `json:"next_cursor"`
		} `json:"response_metadata"`
	}
	_, err := s.call(ctx, "conversations.list", url.Values{
		"types": {"public_channel,private_channel"}, "exclude_archived": {strconv.FormatBool(!archived)},
		"limit": {strconv.Itoa(size)}, "cursor": {cursor},
	}, &page)
	return page.Channels, page.Metadata.NextCursor, err
}

// Options lists the channels that can be posted to, page by page. Slack has no
// search for channels, so a search looks through each page: one on which
// nothing is found is empty, and says where the next one is.
func (s *session) Options(ctx context.Context, request connector.OptionsRequest) (connector.OptionsPage, error) {
	if request.Source != sourceChannels {
		return connector.OptionsPage{}, connector.Errorf(connector.ClassConfig, "UNKNOWN_SOURCE", "there is no option source %q", request.Source)
	}
	size := request.PageSize
	if size <= 0 || size > pageSize {
		size = pageSize
	}
	channels, next, err := s.list(ctx, request.PageToken, size, false)
	if err != nil {
		return connector.OptionsPage{}, err
	}
	page := connector.OptionsPage{NextPageToken: next}
	for _, c := range channels {
		if contains(c.ID, request.Search) || contains("#"+c.Name, request.Search) {
			page.Options = append(page.Options, connector.Option{Value: c.ID, Label: "#" + c.Name, Description: c.Purpose.Value})
		}
	}
	return page, nil
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
