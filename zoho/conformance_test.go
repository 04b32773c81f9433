package zoho

import (
	"context"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/connector/connectortest"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// TestTheLawsOfTheContract examines the connector by every law, over an
// organisation whose records were changed at different times.
func TestTheLawsOfTheContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) {
		c.DisableTokenThrottle, c.DisableDownloadLimit = true, true // each law opens the connector anew
		c.AddOnCredits = 10_000_000
	})
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		w.insertLead(key, map[string]string{"City": "Bonn"})
		w.sim.AdvanceClock(time.Minute)
	}
	w.sim.AdvanceClock(-6 * time.Minute) // back to the clock of the examination
	text := func(s string) *string { return &s }
	record := func(id string, bad bool, values ...string) conformance.Record {
		r := conformance.Record{Identifier: id, Bad: bad}
		for _, v := range values {
			r.Values = append(r.Values, text(v))
		}
		return r
	}
	refused := w.connection
	refused.Secrets = connector.Answers{fieldClientSecret: {w.sim.ClientSecret()}, keptRefreshToken: {"1000.gone.gone"}}
	var mapping []connector.MappedField
	for _, name := range []string{"External_Key", "Last_Name", "Company", "No_of_Employees"} {
		mapping = append(mapping, connector.MappedField{Name: name, Type: connector.Type{Kind: connector.KindString}})
	}
	connectortest.Run(t, connectortest.Harness{
		Subject: conformance.Subject{
			Open:       func(context.Context) (connector.Connector, func(), error) { return New(quick(t)...), func() {}, nil },
			Connection: w.connection,
			Refused:    &refused,
			Outbound: &conformance.Outbound{
				Strategy: strategyUpsert, Mapping: mapping, ReadAhead: 200,
				Answers: connector.Answers{fieldModule: {"Leads"}, fieldUnique: {"External_Key"}, fieldPath: {pathBulk}, fieldBatchSize: {"20"}},
				Records: []conformance.Record{
					record("1", false, conformance.Unique+"a", "Ray", "Acme", "5"), record("2", false, conformance.Unique+"b", "Kim", "Beta", "6"),
					record("3", true, conformance.Unique+"c", "Lee", "Gamma", "many"), record("4", true, conformance.Unique+"d", "", "Delta", "1"),
					record("5", false, conformance.Unique+"e", "Poe", "Zeta", ""),
				},
			},
			Inbound: &conformance.Inbound{Streams: []connector.StreamSelection{{Name: "Leads", Mode: connector.ReadIncremental}, {Name: "Accounts"}}},
		},
		Options: conformance.Options{Stop: 3 * time.Second, Deadline: 2 * time.Second, Quiet: 30 * time.Second},
	})
}
