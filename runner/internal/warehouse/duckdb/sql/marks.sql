-- A mark for the next run is used up by it. A record to be sent again because
-- the user said so stays due until it has an outcome.
UPDATE {{.State}} SET mark = NULL WHERE mark = 'skip_once';
UPDATE {{.State}} AS s SET mark = NULL, status = 'DELAYED', tried = o.hash
FROM {{.Outbox}} o WHERE o.identifier = s.identifier AND s.mark = 'resync';
-- A record that was deleted by a strategy which deletes what it sees is
-- forgotten when the source no longer has it, and new when it comes back.
DELETE FROM {{.State}} AS s
WHERE s.synced AND NOT s.in_app AND s.mark IS NULL
    AND NOT EXISTS (SELECT 1 FROM sluice_diff d WHERE d.identifier = s.identifier);
