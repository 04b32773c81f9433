DELETE FROM sluice.outcome_pending WHERE sync_id = {{.Sync}} AND run_id = {{.Run}} AND ord BETWEEN {{.First}} AND {{.Last}};
