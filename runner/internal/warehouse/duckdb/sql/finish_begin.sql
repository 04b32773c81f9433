INSERT INTO sluice.finishing SELECT {{.Sync}}, {{.Run}}, 0
WHERE NOT EXISTS (SELECT 1 FROM sluice.finishing WHERE sync_id = {{.Sync}} AND run_id = {{.Run}});
