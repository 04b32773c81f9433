package wire

import (
	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var readModes = newEnum(map[connector.ReadMode]connectorv1.ReadMode{
	connector.ReadFullRefresh: connectorv1.ReadMode_READ_MODE_FULL_REFRESH,
	connector.ReadIncremental: connectorv1.ReadMode_READ_MODE_INCREMENTAL,
})

// StreamQuery asks for streams.
func StreamQuery(c *connectorv1.Connection, q connector.StreamQuery) (*connectorv1.StreamListRequest, error) {
	answers, err := Answers("answers", q.Answers)
	return &connectorv1.StreamListRequest{Connection: c, Answers: answers, Names: q.Names}, err
}

// StreamQueryFrom reads the request for streams.
func StreamQueryFrom(r *connectorv1.StreamListRequest) (connector.StreamQuery, error) {
	answers, err := AnswersFrom("answers", r.GetAnswers())
	return connector.StreamQuery{Answers: answers, Names: r.GetNames()}, err
}

// Streams makes the answer to a query with some names.
func Streams(all []connector.Stream, names []string) (*connectorv1.StreamListResponse, error) {
	streams, err := list("streams", all, stream)
	return &connectorv1.StreamListResponse{Streams: streams}, first(err, checkStreams(all, names))
}

// StreamsFrom reads the answer to a query with some names.
func StreamsFrom(r *connectorv1.StreamListResponse, names []string) ([]connector.Stream, error) {
	streams, err := list("streams", r.GetStreams(), streamFrom)
	return streams, first(err, checkStreams(streams, names))
}

func checkStreams(all []connector.Stream, names []string) error {
	if err := unique("streams", "name", all, func(s connector.Stream) string { return s.Name }); err != nil || len(names) == 0 {
		return err
	}
	if len(all) != len(names) {
		return broken("streams", "has %d entries, %d were asked for", len(all), len(names))
	}
	for i, s := range all {
		switch {
		case s.Name != names[i]:
			return broken("streams", "is not in the order asked for")
		case s.Schema == "":
			return broken("streams", "lacks the JSON Schema of a stream that was asked for by name")
		}
	}
	return nil
}

func stream(s connector.Stream) (*connectorv1.Stream, error) {
	modes, err := list("modes", s.Modes, func(m connector.ReadMode) (connectorv1.ReadMode, error) { return readModes.out("mode", m) })
	return &connectorv1.Stream{
		Name: s.Name, Label: s.Label, Description: s.Description, JsonSchema: s.Schema, Key: s.Key, Cursor: s.Cursor, Modes: modes, Tombstones: s.Tombstones,
	}, first(err, checkStream(s))
}

func streamFrom(s *connectorv1.Stream) (connector.Stream, error) {
	modes, err := list("modes", s.GetModes(), func(m connectorv1.ReadMode) (connector.ReadMode, error) { return readModes.in("mode", m) })
	out := connector.Stream{
		Name: s.GetName(), Label: s.GetLabel(), Description: s.GetDescription(), Schema: s.GetJsonSchema(), Key: s.GetKey(), Cursor: s.GetCursor(), Modes: modes, Tombstones: s.GetTombstones(),
	}
	return out, first(err, checkStream(out))
}

func checkStream(s connector.Stream) error {
	if len(s.Modes) == 0 {
		return broken("modes", "is required")
	}
	return first(required("name", s.Name), jsonText("json_schema", s.Schema, MaxMessage))
}
