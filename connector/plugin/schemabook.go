package plugin

import (
	"slices"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// schemaBook holds the schemas that one side has sent: each is sent once, before
// its first batch.
type schemaBook map[string]*connector.Schema

// enter returns the message to send, or nil for a schema that was sent before.
// Other columns under a known name are the sender's fault, of the given class.
func (b schemaBook) enter(schema *connector.Schema, class connector.Class) (*pb.Schema, error) {
	known := b[schema.ID]
	switch {
	case known == schema:
		return nil, nil
	case known != nil && slices.Equal(known.Columns, schema.Columns):
		return nil, nil
	case known != nil:
		return nil, connector.Errorf(class, "CONTRACT", "the columns of the schema %q changed; other columns are another schema", schema.ID)
	}
	m, err := wire.Schema(schema)
	if err != nil {
		return nil, refused(class, "a schema", err)
	}
	b[schema.ID] = schema
	return m, nil
}
