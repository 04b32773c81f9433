package zoho

import (
	"bytes"
	"errors"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Zoho's newest OpenAPI file lets bulk write find records by their id alone; all
// else, and what was seen to work, says any unique field. Where a job is refused
// for its find_by, record calls find records by the key all the same: the session
// goes on by them, unless bulk jobs were asked for.

// refusesKey reports whether a job was refused for the field it finds records by.
func refusesKey(err error) bool {
	z, ok := errors.AsType[*crm.Error](err)
	if !ok || z.Op != crm.OpBulkWriteCreate || z.HTTPStatus != 400 {
		return false
	}
	return bytes.Contains(z.Details, []byte("find_by")) || strings.Contains(z.Message, "find_by")
}

// withoutKey makes of a refusal an error that says what happens next.
func (w *writer) withoutKey(chunk *connector.Chunk, e *connector.Error) {
	if w.plan.path == pathAuto && w.sameByCalls(chunk) {
		w.session.keyRefused.Store(true)
		e.Class = connector.ClassTransient // the chunk is journaled; its records are sent again, by record calls
		return
	}
	e.Help = []connector.Help{{Description: "This organisation's bulk jobs find records by their id only. Choose record calls, or let Sluice choose, and map no other unique field."}}
}

// sameByCalls reports whether record calls write the same records as a bulk job
// would, and may be repeated.
func (w *writer) sameByCalls(chunk *connector.Chunk) bool {
	p := w.plan
	return p.idempotent() && p.recordsPossible(hasAppIdentifiers(chunk)) && (p.operation() != crm.BulkUpsert || !p.otherUnique)
}
