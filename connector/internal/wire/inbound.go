package wire

import (
	"time"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const maxState = 1 << 20

// InboundSync makes what an inbound run is about.
func InboundSync(s connector.InboundSync) (*connectorv1.InboundSync, error) {
	answers, err1 := Answers("answers", s.Answers)
	streams, err2 := list("streams", s.Streams, selection)
	return &connectorv1.InboundSync{
		SyncId: s.SyncID, RunId: s.RunID, Answers: answers, Streams: streams, StartedAt: moment(s.StartedAt), Deadline: moment(s.Deadline),
		AcksCheckpoints: s.AcksCheckpoints, KeepsLedger: s.KeepsLedger,
	}, within("sync", first(err1, err2, checkInboundSync(s)))
}

// InboundSyncFrom reads what an inbound run is about.
func InboundSyncFrom(s *connectorv1.InboundSync) (connector.InboundSync, error) {
	answers, err1 := AnswersFrom("answers", s.GetAnswers())
	streams, err2 := list("streams", s.GetStreams(), selectionFrom)
	started, err3 := momentFrom("started_at", s.GetStartedAt())
	deadline, err4 := momentFrom("deadline", s.GetDeadline())
	out := connector.InboundSync{
		SyncID: s.GetSyncId(), RunID: s.GetRunId(), Answers: answers, Streams: streams, StartedAt: started, Deadline: deadline,
		AcksCheckpoints: s.GetAcksCheckpoints(), KeepsLedger: s.GetKeepsLedger(),
	}
	return out, within("sync", first(err1, err2, err3, err4, checkInboundSync(out)))
}

func checkInboundSync(s connector.InboundSync) error {
	if len(s.Streams) == 0 {
		return broken("streams", "is required")
	}
	return first(required("sync_id", s.SyncID), required("run_id", s.RunID), requiredMoment("started_at", s.StartedAt),
		unique("streams", "name", s.Streams, func(s connector.StreamSelection) string { return s.Name }))
}

func selection(s connector.StreamSelection) (*connectorv1.StreamSelection, error) {
	mode, err := readModes.out("mode", s.Mode)
	return &connectorv1.StreamSelection{Name: s.Name, Mode: mode, StateJson: s.State, Fields: s.Fields}, first(err, checkSelection(s))
}

func selectionFrom(s *connectorv1.StreamSelection) (connector.StreamSelection, error) {
	mode, err := readModes.in("mode", s.GetMode())
	out := connector.StreamSelection{Name: s.GetName(), Mode: mode, State: s.GetStateJson(), Fields: s.GetFields()}
	return out, first(err, checkSelection(out))
}

func checkSelection(s connector.StreamSelection) error {
	return first(required("name", s.Name), jsonText("state_json", s.State, maxState))
}

// Tombstones makes tombstones.
func Tombstones(t connector.Tombstones) (*connectorv1.Tombstones, error) {
	out := &connectorv1.Tombstones{Stream: t.Stream, AppIdentifiers: t.AppIdentifiers}
	for _, at := range t.DeletedAt {
		if at.IsZero() {
			at = time.Unix(0, 0)
		}
		out.DeletedAt = append(out.DeletedAt, timestamppb.New(at))
	}
	return out, checkTombstones(t)
}

// TombstonesFrom reads tombstones.
func TombstonesFrom(t *connectorv1.Tombstones) (connector.Tombstones, error) {
	out := connector.Tombstones{Stream: t.GetStream(), AppIdentifiers: t.GetAppIdentifiers()}
	for _, stamp := range t.GetDeletedAt() {
		at, err := momentFrom("deleted_at", stamp)
		if err != nil {
			return out, err
		}
		if at.Equal(time.Unix(0, 0)) {
			at = time.Time{}
		}
		out.DeletedAt = append(out.DeletedAt, at)
	}
	return out, checkTombstones(out)
}

func checkTombstones(t connector.Tombstones) error {
	if len(t.AppIdentifiers) == 0 {
		return broken("app_identifiers", "is required")
	}
	if n := len(t.DeletedAt); n != 0 && n != len(t.AppIdentifiers) {
		return broken("deleted_at", "has %d entries for %d records", n, len(t.AppIdentifiers))
	}
	return required("stream", t.Stream)
}

// Checkpoint makes a checkpoint with its number.
func Checkpoint(c connector.Checkpoint, number int64) (*connectorv1.Checkpoint, error) {
	return &connectorv1.Checkpoint{Stream: c.Stream, StateJson: c.State, Number: number}, checkCheckpoint(c, number)
}

// CheckpointFrom reads a checkpoint and its number.
func CheckpointFrom(c *connectorv1.Checkpoint) (connector.Checkpoint, int64, error) {
	out := connector.Checkpoint{Stream: c.GetStream(), State: c.GetStateJson()}
	return out, c.GetNumber(), checkCheckpoint(out, c.GetNumber())
}

func checkCheckpoint(c connector.Checkpoint, number int64) error {
	return first(required("stream", c.Stream), required("state_json", c.State), jsonText("state_json", c.State, maxState), positive("number", number))
}

// CheckpointAck says that a checkpoint is durable.
func CheckpointAck(stream string, number int64) (*connectorv1.CheckpointAck, error) {
	return &connectorv1.CheckpointAck{Stream: stream, Number: number}, checkAck(stream, number)
}

// CheckpointAckFrom reads which checkpoint is durable.
func CheckpointAckFrom(a *connectorv1.CheckpointAck) (stream string, number int64, err error) {
	return a.GetStream(), a.GetNumber(), checkAck(a.GetStream(), a.GetNumber())
}

func checkAck(stream string, number int64) error {
	return first(required("stream", stream), positive("number", number))
}

// StreamDone ends a stream.
func StreamDone(d connector.StreamDone) (*connectorv1.StreamDone, error) {
	e, err := Error(d.Error)
	return &connectorv1.StreamDone{Stream: d.Stream, StateJson: d.State, Error: e}, first(within("error", err), checkStreamDone(d))
}

// StreamDoneFrom reads the end of a stream.
func StreamDoneFrom(d *connectorv1.StreamDone) (connector.StreamDone, error) {
	e, err := ErrorFrom(d.GetError())
	out := connector.StreamDone{Stream: d.GetStream(), State: d.GetStateJson(), Error: e}
	return out, first(within("error", err), checkStreamDone(out))
}

func checkStreamDone(d connector.StreamDone) error {
	return first(required("stream", d.Stream), jsonText("state_json", d.State, maxState))
}
