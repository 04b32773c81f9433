package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

// ticketOrder lists the states in the order in which a ticket passes them.
var ticketOrder = []connector.TicketState{connector.TicketPrepared, connector.TicketSubmitted, connector.TicketDone}

// PutTicket stores a ticket durably, replacing an earlier state of it. A ticket
// never goes back to an earlier state: that is an error, because it would make
// records that the app has accepted look as if they had not been sent. A run
// that another process has taken over takes no tickets from this one.
func (s *Store) PutTicket(ctx context.Context, runID string, ticket connector.Ticket) error {
	position := slices.Index(ticketOrder, ticket.State)
	if position < 0 || ticket.ID == "" {
		return fmt.Errorf("ticket %q of run %s has the unknown state %q", ticket.ID, runID, ticket.State)
	}
	body, err := json.Marshal(ticket)
	if err != nil {
		return fmt.Errorf("writing ticket %q: %w", ticket.ID, err)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.refuseTaken(ctx, tx, runID); err != nil {
			return err
		}
		var earlier connector.TicketState
		err := tx.QueryRowContext(ctx, "SELECT state FROM tickets WHERE run = ? AND id = ?", runID, ticket.ID).Scan(&earlier)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if position < slices.Index(ticketOrder, earlier) {
			return fmt.Errorf("ticket %q of run %s is %s and cannot become %s again", ticket.ID, runID, earlier, ticket.State)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO tickets (run, id, state, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (run, id) DO UPDATE SET state = excluded.state, body = excluded.body`,
			runID, ticket.ID, ticket.State, string(body))
		return err
	})
}

// OpenTickets returns the run's tickets that are not DONE, by the time they were
// first stored.
func (s *Store) OpenTickets(ctx context.Context, runID string) ([]connector.Ticket, error) {
	return collect(ctx, s.db, func(scan func(...any) error) (connector.Ticket, error) {
		var ticket connector.Ticket
		var body string
		if err := scan(&body); err != nil {
			return ticket, err
		}
		err := json.Unmarshal([]byte(body), &ticket)
		return ticket, err
	}, "SELECT body FROM tickets WHERE run = ? AND state <> ? ORDER BY rowid", runID, connector.TicketDone)
}
