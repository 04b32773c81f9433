-- The rows of a stage, cast to the types of the table. A text that does not
-- cast without loss stays in the unparsed column.
CREATE OR REPLACE TEMP TABLE sluice_cast AS
WITH newest AS (
    SELECT * FROM {{.Stage}} WHERE ord BETWEEN {{.First}} AND {{.Last}}
    {{- if .Keys}}
    QUALIFY row_number() OVER (PARTITION BY {{range $i, $k := .Keys}}{{if $i}}, {{end}}t{{$k.N}}{{end}} ORDER BY ord DESC) = 1{{end}}
), typed AS (
    SELECT ord, app
        {{- range .Columns}}, {{.Cast}} AS v{{.N}}{{end}}
        {{- range .Checked}}, t{{.N}}{{end}}
    FROM newest
), counted AS (
    SELECT *, 0{{range .Checked}} + (t{{.N}} IS NOT NULL AND v{{.N}} IS NULL)::INTEGER{{end}} AS unparsed_count
    FROM typed
)
SELECT ord, app{{range .Columns}}, v{{.N}}{{end}}, unparsed_count,
    CASE WHEN unparsed_count > 0 THEN to_json(map_from_entries(list_filter([
        {{- range $i, $c := .Checked}}{{if $i}}, {{end}}
        CASE WHEN t{{$c.N}} IS NOT NULL AND v{{$c.N}} IS NULL THEN {k: {{$c.Label}}, v: t{{$c.N}}} END{{else}}NULL::STRUCT(k VARCHAR, v VARCHAR){{end}}
    ], lambda e: e IS NOT NULL))) END AS unparsed
FROM counted
ORDER BY ord
