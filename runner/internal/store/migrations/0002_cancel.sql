-- Whether a run goes on or waits to be resumed.
ALTER TABLE runs ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET open = state = 'Running' OR state = 'Delayed'
  AND EXISTS (SELECT 1 FROM tickets WHERE tickets.run = runs.id AND tickets.state <> 'DONE');

-- How long what is in hand may go on, in microseconds, when the run is to be
-- cancelled; null when it is not.
ALTER TABLE runs ADD COLUMN cancel_grace INTEGER;
