package todo

import (
	"context"
	"net/url"

	"github.com/sluiceio/sluice/connector"
)

// OutboundForm says that records are mapped onto the fields of a task.
func (s *session) OutboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{Mapper: &connector.Mapper{Fields: &connector.FieldMapper{OptionSource: "fields", Label: "Task"}}}, nil
}

// taskFields are the fields of a task that can be written.
var taskFields = []connector.Option{
	{Value: "title", Label: "Title", TypeIcon: string(connector.KindString), Required: true},
	{Value: "done", Label: "Done", TypeIcon: string(connector.KindBool)},
	{Value: "due", Label: "Due date", TypeIcon: string(connector.KindDate)},
}

// SyncOutbound writes records. The SDK pulls them, gathers them into chunks, and
// sees to it that each one gets its outcome.
func (s *session) SyncOutbound(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	managed := connector.ManagedOutbound{MaxRecords: 20, Concurrency: 4, Write: s.write}
	return managed.Run(connector.WithHost(ctx, stream), sync, stream)
}

// write applies one chunk: records of one action. A task is put under the
// record's identifier, which does no harm when it happens twice. So nothing need
// be journaled, and what was lost on the way is simply sent again.
func (s *session) write(ctx context.Context, chunk *connector.Chunk) error {
	for row, identifier := range chunk.Records.Identifiers {
		path := "/v1/tasks/" + url.PathEscape(identifier)
		var err error
		if chunk.Records.Action == connector.ActionDelete {
			err = s.call(ctx, "DELETE", path, nil, nil)
		} else {
			err = s.call(ctx, "PUT", path, task(chunk.Records, row), nil)
		}
		switch e := connector.AsError(err); connector.ClassOf(err) {
		case "":
			chunk.Succeed(row, identifier)
		case connector.ClassRejected:
			chunk.Fail(row, connector.StatusRejected, e, "") // this record alone
		default:
			return err // it concerns the records after it too: they get what the error means
		}
	}
	return nil
}

// task is a row as the service takes it: JSON with numbers, booleans and nulls.
func task(records *connector.RecordBatch, row int) map[string]any {
	fields := map[string]any{}
	for i, column := range records.Schema.Columns {
		switch text := records.Columns[i].Texts[row]; {
		case records.Columns[i].IsNull(row):
			fields[column.Name] = nil
		case column.Name == "done":
			fields[column.Name] = text == "true"
		default:
			fields[column.Name] = text
		}
	}
	return fields
}
