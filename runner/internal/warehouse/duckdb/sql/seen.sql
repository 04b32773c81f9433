-- Every row of the source: its identifier, and the hash of its mapped values. The
-- mappings hold SQL of the user's; this is run as exactly one statement, so that the
-- same text is no more than a query wherever else it stands.
CREATE TEMP TABLE sluice_seen AS
SELECT identifier, {{template "hash" .}} AS hash
FROM ({{template "texts" .}})
{{define "texts"}}
    SELECT {{.IdentifierText}} AS identifier
        {{- range .Columns}}, {{.Text}} AS c{{.N}}{{end}}
    FROM (
        SELECT {{.Identifier}} AS __sluice_id
            {{- range .Columns}},
            ({{.Expression}}
            ) AS __sluice_e{{.N}}{{end}}
        FROM sluice_source
    )
{{end}}
{{- /* Length before text tells apart null, empty and shifted values; the names make
a changed mapping a changed record. */}}
{{- define "hash"}}md5_number(concat({{.Names}}{{range .Hashed}}, strlen(c{{.N}}), ':', c{{.N}}{{end}})){{end}}
