package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// About says what a conversation is of.
type About struct {
	// Format is the version of the file's format, 1.
	Format int `json:"format"`
	// Connector and Version are the manifest's id and version.
	Connector string `json:"connector"`
	Version   string `json:"version,omitempty"`
	// Direction is that of the sync.
	Direction connector.Direction `json:"direction"`
	// StartedAt is when the conversation began.
	StartedAt time.Time `json:"started_at"`
}

const format = 1

// line is one line of a file: one of its fields is set. Messages are those of the
// contract in protobuf's JSON.
type line struct {
	About     *About          `json:"about,omitempty"`
	Host      json.RawMessage `json:"host,omitempty"`
	Connector json.RawMessage `json:"connector,omitempty"`
	End       json.RawMessage `json:"end,omitempty"` // an Error, without fields for success
}

// Conversation is one call of SyncOutbound or SyncInbound, read from a file: what
// the host said, to be said again, and what the connector answered, to be
// compared.
type Conversation struct {
	About About
	// Connection has names in place of secrets.
	Connection connector.Connection
	// Outbound or Inbound is set, by direction.
	Outbound *connector.OutboundSync
	Inbound  *connector.InboundSync
	// Batches are what the host sent, outbound.
	Batches []*connector.RecordBatch
	// Live says that the app is asked anew when the conversation is played: the
	// names it gives to work differ, and are not compared.
	Live bool

	answered *tally
}

// ReadConversations reads the conversations of a file, in their order.
func ReadConversations(path string) ([]*Conversation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var r reader
	for lines, n := bufio.NewReader(file), 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) > 0 {
			if err := r.line(text); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n, err)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if len(r.all) == 0 {
		return nil, fmt.Errorf("%s holds no conversation", path)
	}
	return r.all, nil
}

// reader reads a file line by line.
type reader struct {
	all     []*Conversation
	schemas map[string]*connector.Schema // of the conversation being read
}

func (r *reader) line(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("this is no line of a conversation: %w", err)
	}
	if l.About != nil {
		if l.About.Format != format {
			return fmt.Errorf("the format is %d, this program reads %d", l.About.Format, format)
		}
		r.all = append(r.all, &Conversation{About: *l.About, answered: newTally()})
		r.schemas = map[string]*connector.Schema{}
		return nil
	}
	if len(r.all) == 0 {
		return fmt.Errorf("a conversation begins with what it is about")
	}
	c := r.all[len(r.all)-1]
	switch {
	case l.End != nil:
		return r.end(c, l.End)
	case c.About.Direction == connector.DirectionOutbound && l.Host != nil:
		return read(l.Host, &pb.SyncOutboundRequest{}, func(m *pb.SyncOutboundRequest) error { return r.outboundHost(c, m) })
	case c.About.Direction == connector.DirectionOutbound && l.Connector != nil:
		return read(l.Connector, &pb.SyncOutboundResponse{}, func(m *pb.SyncOutboundResponse) error { return r.outboundConnector(c, m) })
	case l.Host != nil:
		return read(l.Host, &pb.SyncInboundRequest{}, func(m *pb.SyncInboundRequest) error { return r.inboundHost(c, m) })
	case l.Connector != nil:
		return read(l.Connector, &pb.SyncInboundResponse{}, func(m *pb.SyncInboundResponse) error { return r.inboundConnector(c, m) })
	}
	return nil
}

func read[M proto.Message](text []byte, m M, do func(M) error) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, m); err != nil {
		return err
	}
	return do(m)
}

func (r *reader) end(c *Conversation, text []byte) error {
	return read(text, &pb.Error{}, func(m *pb.Error) error {
		if m.GetMessage() == "" {
			return nil
		}
		e, err := wire.ErrorFrom(m)
		if err == nil {
			c.answered.end(e)
		}
		return err
	})
}

func (r *reader) outboundHost(c *Conversation, m *pb.SyncOutboundRequest) (err error) {
	switch m := m.GetMessage().(type) {
	case *pb.SyncOutboundRequest_Start:
		var sync connector.OutboundSync
		if sync, err = wire.OutboundSyncFrom(m.Start.GetSync()); err == nil {
			c.Outbound = &sync
			c.Connection, err = wire.ConnectionFrom(m.Start.GetConnection())
		}
	case *pb.SyncOutboundRequest_Schema:
		return r.schema(m.Schema)
	case *pb.SyncOutboundRequest_Batch:
		var batch *connector.RecordBatch
		batch, err = wire.OutboundBatchFrom(m.Batch, r.schemas[m.Batch.GetSchemaId()])
		c.Batches = append(c.Batches, batch)
	case *pb.SyncOutboundRequest_TicketRecordsEnd:
		c.Batches = append(c.Batches, &connector.RecordBatch{Ticket: m.TicketRecordsEnd.GetTicketId()})
	}
	return err
}

func (r *reader) schema(m *pb.Schema) error {
	schema, err := wire.SchemaFrom(m)
	if err == nil {
		r.schemas[schema.ID] = schema
	}
	return err
}

func (r *reader) outboundConnector(c *Conversation, m *pb.SyncOutboundResponse) error {
	switch m := m.GetMessage().(type) {
	case *pb.SyncOutboundResponse_Outcomes:
		o, err := wire.OutcomesFrom(m.Outcomes)
		if err == nil {
			c.answered.settle(o)
		}
		return err
	case *pb.SyncOutboundResponse_Ticket:
		t, err := wire.TicketFrom(m.Ticket)
		if err == nil {
			c.answered.ticket(t)
		}
		return err
	}
	return nil
}

func (r *reader) inboundHost(c *Conversation, m *pb.SyncInboundRequest) error {
	start, ok := m.GetMessage().(*pb.SyncInboundRequest_Start)
	if !ok {
		return nil
	}
	sync, err := wire.InboundSyncFrom(start.Start.GetSync())
	if err == nil {
		c.Inbound = &sync
		c.Connection, err = wire.ConnectionFrom(start.Start.GetConnection())
	}
	return err
}

func (r *reader) inboundConnector(c *Conversation, m *pb.SyncInboundResponse) error {
	switch m := m.GetMessage().(type) {
	case *pb.SyncInboundResponse_Schema:
		if err := r.schema(m.Schema); err != nil || m.Schema.GetStream() == "" {
			return err
		}
		c.answered.rows(&connector.RecordBatch{Stream: m.Schema.GetStream(), Schema: r.schemas[m.Schema.GetId()]})
	case *pb.SyncInboundResponse_Batch:
		batch, err := wire.InboundBatchFrom(m.Batch, r.schemas[m.Batch.GetSchemaId()])
		if err != nil {
			return err
		}
		c.answered.rows(batch)
	case *pb.SyncInboundResponse_Tombstones:
		t, err := wire.TombstonesFrom(m.Tombstones)
		if err != nil {
			return err
		}
		c.answered.gone(t)
	case *pb.SyncInboundResponse_Checkpoint:
		checkpoint, _, err := wire.CheckpointFrom(m.Checkpoint)
		if err != nil {
			return err
		}
		c.answered.checkpoint(checkpoint)
	case *pb.SyncInboundResponse_StreamDone:
		done, err := wire.StreamDoneFrom(m.StreamDone)
		if err != nil {
			return err
		}
		c.answered.done(done)
	}
	return nil
}
