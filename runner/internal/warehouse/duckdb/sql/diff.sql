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
), known AS (
    -- Both sides of the join are written to disk in pieces where they do not fit in
    -- memory, and the more a row of this side holds, the more pieces are open at
    -- once. What few records have is kept apart, in a list of none or one.
    SELECT identifier, hash, synced AND in_app = {{.KnownInApp}} AS synced,
        CASE WHEN status IS DISTINCT FROM 'SUCCEEDED' OR mark IS NOT NULL
            THEN [{'mark': mark, 'status': status, 'attempts': attempts, 'last_at': last_at, 'tried': tried}] END AS more
    FROM {{.State}}
), joined AS (
    SELECT h.*, k.identifier IS NOT NULL AS known, coalesce(k.synced, false) AS synced,
        k.hash IS NOT DISTINCT FROM h.hash AS same,
        k.more[1].mark AS mark, k.more[1].status AS status, k.more[1].attempts AS attempts, k.more[1].last_at AS last_at,
        coalesce(k.more[1].status IN ('REJECTED', 'INVALID', 'RETRY', 'DELAYED') AND k.more[1].tried = h.hash, false) AS failed,
        {{.Resync}} OR coalesce(k.more[1].mark = 'resync', false) AS resync
    FROM hashed h LEFT JOIN known k ON k.identifier = h.identifier
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
SELECT identifier, known, hash, action, reason, verdict
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
