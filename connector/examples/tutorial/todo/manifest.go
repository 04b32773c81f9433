// Package todo is a connector for a small service that keeps tasks.
package todo

import (
	"context"

	"github.com/sluiceio/sluice/connector"
)

// Manifest says who the connector is and what it can do.
func (todo) Manifest(context.Context) (connector.Manifest, error) {
	return connector.Manifest{
		ID: "todo", Name: "Todo", Version: "0.1.0",
		Strategies:  []connector.Strategy{connector.StrategyUpsert, connector.StrategyMirror, connector.StrategyDelete},
		TargetTypes: []connector.TargetType{{Name: "task", Label: "Task"}},
		Features:    []connector.Feature{connector.FeatureFormOptions},
		Inbound:     true,
	}, nil
}
