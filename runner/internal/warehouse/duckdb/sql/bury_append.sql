INSERT INTO {{.Table}} (_sluice_app_identifier, _sluice_retrieved_at, _sluice_run, _sluice_deleted, _sluice_deleted_at)
SELECT app, {{.RetrievedAt}}, {{.Run}}, true, deleted_at::TIMESTAMPTZ FROM {{.Stage}} ORDER BY ord
