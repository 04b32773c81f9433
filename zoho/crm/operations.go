package crm

import "context"

// Op names what a request does. It appears in errors and in [Call].
type Op string

// The operations.
const (
	OpToken           Op = "get access token"
	OpRevoke          Op = "revoke token"
	OpServerInfo      Op = "get accounts servers"
	OpOrg             Op = "get organization"
	OpModules         Op = "list modules"
	OpFields          Op = "list fields"
	OpLayouts         Op = "list layouts"
	OpUsers           Op = "list users"
	OpUpload          Op = "upload file"
	OpBulkWriteCreate Op = "create bulk write job"
	OpBulkWriteStatus Op = "get bulk write job"
	OpBulkWriteResult Op = "download bulk write result"
	OpBulkReadCreate  Op = "create bulk read job"
	OpBulkReadStatus  Op = "get bulk read job"
	OpBulkReadResult  Op = "download bulk read result"
	OpRecordsList     Op = "list records"
	OpRecordGet       Op = "get record"
	OpRecordsInsert   Op = "insert records"
	OpRecordsUpdate   Op = "update records"
	OpRecordsUpsert   Op = "upsert records"
	OpRecordsDelete   Op = "delete records"
	OpMassDelete      Op = "mass delete records"
	OpDeletedList     Op = "list deleted records"
	OpRecordsCount    Op = "count records"
	OpCOQL            Op = "query records"
)

// Call describes a request to the layer below, before it is sent.
type Call struct {
	Op      Op
	Module  string // API name, "" where none is involved
	Records int    // records carried, or asked for by a COQL query
	Credits int    // what Zoho charges, by the table behind Cost

	// Heavy says that the call counts against the sub-concurrency of 10 as well
	// (https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html).
	Heavy bool

	// Repeatable says that executing the call twice has the effect of executing it once, so a request whose answer was
	// lost may be sent again. It is false for inserts and for the creation of bulk write jobs, as [WriteOptions] says for
	// upserts, and true for reads, updates, deletions, uploads and the creation of bulk read jobs (a duplicate costs
	// credits and nothing else).
	Repeatable bool
}

// callHook is the function given to [WithCallContext].
type callHook func(context.Context, Call) context.Context
