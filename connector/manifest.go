package connector

// Manifest holds the static facts about a connector.
type Manifest struct {
	// ID names the connector for programs: lower-case letters, digits and
	// hyphens, at most 64 bytes, for instance "zoho-crm". Required.
	ID string
	// Name is shown to people, for instance "Zoho CRM". Required.
	Name string
	// Version is the connector's semantic version. Required.
	Version string
	// DocumentationURL leads to the connector's manual. Optional.
	DocumentationURL string
	// Icon is an SVG or PNG image of at most 64 KiB. Optional.
	Icon Icon
	// Features are the parts of the contract the connector has beyond the
	// basic ones. A host relies on a feature only when it is listed.
	Features []Feature
	// Strategies are the outbound strategies supported, slots spelled out.
	// Empty means the connector has no outbound direction.
	Strategies []Strategy
	// Inbound is true when the connector can read.
	Inbound bool
	// TargetTypes are the kinds of thing an outbound sync writes to.
	TargetTypes []TargetType
	// Rendering says how dates and times are to be written in outgoing records.
	Rendering Rendering
}

// Icon is a picture with its media type, "image/svg+xml" or "image/png".
type Icon struct {
	MediaType string
	Data      []byte
}

// TargetType is a kind of thing that can be written to, such as "module".
type TargetType struct {
	Name  string
	Label string
}

// Feature is a part of the contract that a connector announces.
type Feature string

// The features of version 1.
const (
	// FeatureTickets: the connector journals asynchronous work with tickets
	// and can resume it.
	FeatureTickets Feature = "tickets"
	// FeatureValidateRecords: ValidateRecords is implemented.
	FeatureValidateRecords Feature = "validate_records"
	// FeatureFormOptions: FormOptions is implemented.
	FeatureFormOptions Feature = "form_options"
	// FeatureGrants: the connector asks for budget before it spends it.
	FeatureGrants Feature = "grants"
	// FeatureTombstones: inbound streams report deleted records.
	FeatureTombstones Feature = "tombstones"
	// FeatureOutboundCosts: OutboundCosts is implemented.
	FeatureOutboundCosts Feature = "outbound_costs"
)

// Action is what the app is asked to do with a record. A connector may add its
// own actions to the standard ones.
type Action string

// The standard actions.
const (
	ActionCreate   Action = "Create"
	ActionUpdate   Action = "Update"
	ActionDelete   Action = "Delete"
	ActionSend     Action = "Send"
	ActionRecreate Action = "Recreate"
)

// Strategy says which action each kind of row leads to. An empty slot means
// that nothing is done with such rows.
type Strategy struct {
	// Name identifies the strategy, for instance "Upsert".
	Name string
	// Label and Description are shown to people. Label defaults to Name.
	Label       string
	Description string
	// New is the action for a row whose identifier was not synced before,
	// Changed for one whose mapped values changed, Removed for one that is no
	// longer in the source, Unchanged for all others.
	New, Changed, Removed, Unchanged Action
}

// The standard strategies.
var (
	StrategyCreate  = Strategy{Name: "Create", Label: "Create", Description: "Create records that are new in the source.", New: ActionCreate}
	StrategyUpdate  = Strategy{Name: "Update", Label: "Update", Description: "Update records that exist in the app already.", New: ActionUpdate, Changed: ActionUpdate}
	StrategyUpsert  = Strategy{Name: "Upsert", Label: "Upsert", Description: "Create new records, update changed ones.", New: ActionCreate, Changed: ActionUpdate}
	StrategyDelete  = Strategy{Name: "Delete", Label: "Delete", Description: "Delete the records that appear in the source.", New: ActionDelete}
	StrategyMirror  = Strategy{Name: "Mirror", Label: "Mirror", Description: "Create, update and delete, so that the app equals the source.", New: ActionCreate, Changed: ActionUpdate, Removed: ActionDelete}
	StrategySend    = Strategy{Name: "Send", Label: "Send", Description: "Send each new record once.", New: ActionSend}
	StrategyReplace = Strategy{Name: "Replace", Label: "Replace", Description: "Recreate all records at every run.", New: ActionRecreate, Changed: ActionRecreate, Unchanged: ActionRecreate}
)

// Rendering says how the host writes dates and times in outgoing records.
type Rendering struct {
	// Timestamp applies to both timestamp types. Default [TimestampISO8601].
	Timestamp TimestampFormat
	// Date applies to dates. Default [DateISO8601].
	Date DateFormat
}

// TimestampFormat is a way to write an instant.
type TimestampFormat string

// The timestamp formats.
const (
	// TimestampISO8601 writes 2026-01-31T12:00:00.123456Z, in UTC for
	// timestamps with a zone, without a suffix for those without. The fraction
	// is omitted when it is zero.
	TimestampISO8601 TimestampFormat = "iso8601"
	// TimestampEpochSeconds writes whole seconds since 1970 in UTC.
	TimestampEpochSeconds TimestampFormat = "epoch_seconds"
	// TimestampEpochMillis writes milliseconds since 1970 in UTC.
	TimestampEpochMillis TimestampFormat = "epoch_millis"
)

// DateFormat is a way to write a date.
type DateFormat string

// The date formats.
const (
	// DateISO8601 writes 2026-01-31.
	DateISO8601 DateFormat = "iso8601"
	// DateUS writes 01/31/2026.
	DateUS DateFormat = "us"
)
