package wire

import (
	"fmt"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// OutboundSync makes what an outbound run is about.
func OutboundSync(s connector.OutboundSync) (*connectorv1.OutboundSync, error) {
	strategy, err1 := Strategy(s.Strategy)
	answers, err2 := Answers("answers", s.Answers)
	mapping, err3 := list("mapping", s.Mapping, mapped)
	tickets, err4 := list("tickets", s.Tickets, Ticket)
	return &connectorv1.OutboundSync{
		SyncId: s.SyncID, RunId: s.RunID, Strategy: strategy, Answers: answers, Mapping: mapping, Deadline: moment(s.Deadline),
		KeepsTickets: s.KeepsTickets, KeepsLedger: s.KeepsLedger, Records: s.Records, Tickets: tickets,
	}, within("sync", first(within("strategy", err1), err2, err3, err4, checkOutboundSync(s)))
}

// OutboundSyncFrom reads what an outbound run is about.
func OutboundSyncFrom(s *connectorv1.OutboundSync) (connector.OutboundSync, error) {
	strategy, err1 := StrategyFrom(s.GetStrategy())
	answers, err2 := AnswersFrom("answers", s.GetAnswers())
	mapping, err3 := list("mapping", s.GetMapping(), mappedFrom)
	tickets, err4 := list("tickets", s.GetTickets(), TicketFrom)
	deadline, err5 := momentFrom("deadline", s.GetDeadline())
	out := connector.OutboundSync{
		SyncID: s.GetSyncId(), RunID: s.GetRunId(), Strategy: strategy, Answers: answers, Mapping: mapping, Deadline: deadline,
		KeepsTickets: s.GetKeepsTickets(), KeepsLedger: s.GetKeepsLedger(), Records: s.GetRecords(), Tickets: tickets,
	}
	return out, within("sync", first(within("strategy", err1), err2, err3, err4, err5, checkOutboundSync(out)))
}

func checkOutboundSync(s connector.OutboundSync) error {
	if len(s.Mapping) == 0 {
		return broken("mapping", "is required")
	}
	for i, t := range s.Tickets {
		if t.State != connector.TicketSubmitted {
			return broken(fmt.Sprintf("tickets[%d].state", i), "must be SUBMITTED")
		}
	}
	return first(required("sync_id", s.SyncID), required("run_id", s.RunID), notNegative("records", s.Records),
		unique("tickets", "id", s.Tickets, func(t connector.Ticket) string { return t.ID }),
		unique("mapping", "name", s.Mapping, func(f connector.MappedField) string { return f.Name }))
}
