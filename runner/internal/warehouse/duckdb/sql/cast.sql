-- The rows of a stage, cast to the types of the table. A text that does not
-- cast without loss stays in the unparsed column. The stage lies in the order of ord.
CREATE OR REPLACE TEMP TABLE sluice_cast AS
WITH newest AS (
    SELECT * FROM {{.Stage}} WHERE ord BETWEEN {{.First}} AND {{.Last}}
    {{- if .Keys}}
    -- Not with a window, which would sort whole rows.
    AND ord IN (SELECT max(ord) FROM {{.Stage}} WHERE ord BETWEEN {{.First}} AND {{.Last}} GROUP BY {{range $i, $k := .Keys}}{{if $i}}, {{end}}t{{$k.N}}{{end}}){{end}}
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
