// Package zoho is the Zoho CRM connector of Sluice: it translates between the
// vocabulary of package connector and the client in zoho/crm.
//
// # Outbound
//
// Records are written to one module per sync. A chunk of up to 25,000 records
// becomes one bulk write job: rendered as CSV into a zip, uploaded, journaled
// with a ticket, submitted, polled, and its report read back into one outcome
// per record. Chunks that are cheaper as record calls (1 credit per 10
// records against some 502 for a job) go through the records API instead, and
// deletions always do. So do records with a time of an hour that occurs twice,
// which a bulk file cannot tell apart.
//
// # Inbound
//
// A stream is a module, subform and linking modules among them, read with bulk
// read jobs page by page. Incremental reads use a half-open window of
// Modified_Time that ends at the run's start; every page ends in a checkpoint
// from which a later run can go on. An increment is counted first, for a credit,
// and read by queries (COQL) when that costs less than a job: by id, never by
// offset, so that records which change meanwhile move no other. Deleted
// records, in the recycle bin or gone for good, arrive as tombstones.
//
// A formula or rollup whose result changes does not move Modified_Time, so an
// incremental read does not see the change; streams with such fields say so.
//
// # Where things are
//
// manifest.go, connection.go, forms.go and options.go say what the connector
// is and what it asks; session.go, tokens.go, zone.go and clock.go hold what a session
// shares; connect.go logs in; limits.go turns Zoho's tables into
// limits; purposes.go turns what a connection is for into scopes; catalog.go and
// schema.go describe modules; plan.go, owners.go, cells.go, repeatedhour.go, keyrefused.go, costs.go, write.go,
// bulk.go, poll.go, report.go and records.go write; read.go, rows.go, window.go,
// query.go, gathering.go and values.go read; errors.go is the one table from
// Zoho's codes to classes, testdata/outcomes.txt what follows from it.
//
// Facts about Zoho are sourced where they are used; most of them live in
// package crm.
package zoho
