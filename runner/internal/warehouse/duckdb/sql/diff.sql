-- Every row of the source, read once: its identifier, the hash of its mapped
-- values, and what is to be done with it. Only rows to be sent keep their values.
CREATE TEMP TABLE sluice_diff AS
WITH mapped AS (
    SELECT {{.Identifier}} AS __sluice_id
        {{- range .Columns}},
        ({{.Expression}}
        ) AS __sluice_e{{.N}}{{end}}
    FROM sluice_source
), texts AS (
    SELECT {{.IdentifierText}} AS identifier
        {{- range .Columns}}, {{.Text}} AS c{{.N}}{{end}}
    FROM mapped
), hashed AS (
    -- Length before text tells apart null, empty and shifted values; the
    -- names make a changed mapping a changed record.
    SELECT *, md5_number(concat({{.Names}}{{range .Hashed}}, strlen(c{{.N}}), ':', c{{.N}}{{end}})) AS hash
    FROM texts
), joined AS (
    SELECT h.*, s.app_identifier, s.mark, s.status, s.attempts, s.last_at,
        s.identifier IS NOT NULL AND s.synced AND s.in_app = {{.KnownInApp}} AS synced,
        s.hash IS NOT DISTINCT FROM h.hash AS same,
        coalesce(s.status IN ('REJECTED', 'INVALID', 'RETRY', 'DELAYED') AND s.tried = h.hash, false) AS failed,
        {{.Resync}} OR coalesce(s.mark = 'resync', false) AS resync
    FROM hashed h LEFT JOIN {{.State}} s ON s.identifier = h.identifier
), judged AS (
    SELECT *,
        CASE WHEN NOT synced THEN {{.New}}
             WHEN resync THEN {{.Changed}}
             WHEN same AND (NOT failed OR {{.Unchanged}} <> '') THEN {{.Unchanged}}
             ELSE {{.Changed}} END AS action,
        CASE WHEN failed AND NOT resync THEN 'retry'
             WHEN NOT synced THEN 'new'
             WHEN resync OR NOT same THEN 'changed'
             ELSE 'unchanged' END AS reason,
        coalesce(status = 'IN_DOUBT' AND mark IS DISTINCT FROM 'resync', false) AS in_doubt,
        failed AND NOT resync AND NOT ({{template "due" .}}) AS early
    FROM joined
), decided AS (
    SELECT *, {{template "verdict" .}} AS verdict FROM judged
)
SELECT identifier, app_identifier, hash, action, reason, verdict
    {{- range .Columns}}, CASE WHEN verdict = 'send' THEN c{{.N}} END AS c{{.N}}{{end}}
FROM decided
{{define "due"}}CASE status
            WHEN 'DELAYED' THEN true
            WHEN 'RETRY' THEN attempts < {{.MaxAttempts}}
            ELSE attempts < {{.MaxAttempts}} AND {{.Now}} >= last_at
                + to_microseconds(least({{.BackoffMicros}}::DOUBLE * pow(2, greatest(attempts, 1) - 1), 86400e6)::BIGINT)
            END{{end}}
{{define "verdict"}}CASE
            WHEN action = '' AND NOT in_doubt THEN 'unchanged'
            WHEN coalesce(mark LIKE 'skip%', false) THEN 'skipped'
            WHEN in_doubt OR early THEN 'held'
            ELSE 'send' END{{end}}
