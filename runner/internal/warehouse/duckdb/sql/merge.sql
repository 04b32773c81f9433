MERGE INTO {{.Table}} t USING sluice_cast s
ON {{range $i, $k := .Keys}}{{if $i}} AND {{end}}t.{{$k.Name}} = s.v{{$k.N}}{{end}}
WHEN MATCHED THEN UPDATE SET
    {{range .Columns}}{{.Name}} = s.v{{.N}}, {{end}}
    _sluice_app_identifier = coalesce(s.app, t._sluice_app_identifier), _sluice_retrieved_at = {{.RetrievedAt}}, _sluice_run = {{.Run}},
    _sluice_deleted = false, _sluice_deleted_at = NULL, _sluice_unparsed = s.unparsed
WHEN NOT MATCHED THEN INSERT
    ({{range .Columns}}{{.Name}}, {{end}}_sluice_app_identifier, _sluice_retrieved_at, _sluice_run, _sluice_deleted, _sluice_deleted_at, _sluice_unparsed)
    VALUES ({{range .Columns}}s.v{{.N}}, {{end}}s.app, {{.RetrievedAt}}, {{.Run}}, false, NULL, s.unparsed)
