package zoho

import (
	_ "embed"

	"github.com/sluiceio/sluice/connector"
)

// Version is the connector's semantic version.
const Version = "0.1.0"

//go:embed icon.svg
var icon []byte

// Names of the strategies, as the manifest lists them.
const (
	strategyCreate = "Create"
	strategyUpdate = "Update"
	strategyUpsert = "Upsert"
	strategyDelete = "Delete"
	strategyMirror = "Mirror"
)

func manifest() connector.Manifest {
	return connector.Manifest{
		ID: "zoho-crm", Name: "Zoho CRM", Version: Version,
		DocumentationURL: "https://www.zoho.com/crm/developer/docs/api/v8/",
		Icon:             connector.Icon{MediaType: "image/svg+xml", Data: icon},
		Features: []connector.Feature{
			connector.FeatureTickets, connector.FeatureValidateRecords, connector.FeatureFormOptions,
			connector.FeatureGrants, connector.FeatureTombstones, connector.FeatureOutboundCosts,
		},
		Strategies: []connector.Strategy{
			connector.StrategyUpsert, connector.StrategyCreate, connector.StrategyUpdate,
			connector.StrategyMirror, connector.StrategyDelete,
		},
		Inbound:     true,
		TargetTypes: []connector.TargetType{{Name: "module", Label: "Module"}},
		// The zone a date-time is written in is the connected user's, which only
		// the connector knows: instants arrive in ISO 8601 and are rendered here.
		Rendering: connector.Rendering{Timestamp: connector.TimestampISO8601, Date: connector.DateISO8601},
	}
}
