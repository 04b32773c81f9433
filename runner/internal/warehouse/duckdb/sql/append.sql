INSERT INTO {{.Table}}
    ({{range .Columns}}{{.Name}}, {{end}}_sluice_app_identifier, _sluice_retrieved_at, _sluice_run, _sluice_deleted, _sluice_deleted_at, _sluice_unparsed)
SELECT {{range .Columns}}v{{.N}}, {{end}}app, {{.RetrievedAt}}, {{.Run}}, false, NULL, unparsed
FROM sluice_cast ORDER BY ord
