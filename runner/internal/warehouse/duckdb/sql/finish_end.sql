DELETE FROM sluice.finishing WHERE sync_id = {{.Sync}} AND run_id = {{.Run}};
UPDATE sluice.outboxes SET finished_at = {{.At}} WHERE sync_id = {{.Sync}} AND run_id = {{.Run}};
DROP TABLE {{.Outbox}};
