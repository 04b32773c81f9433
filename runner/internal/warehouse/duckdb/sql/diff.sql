-- What is to be done with each record that the source has or the record state
-- knows. Nothing is kept of records that are in the app as the source has them, so
-- that a plan takes the room of what it changes.
CREATE TEMP TABLE sluice_diff AS
WITH known AS (
    -- Both sides of the join are written to disk in pieces where they do not fit in
    -- memory, and the more a row holds, the more pieces are open at once. What few
    -- records have is kept apart, in a list of none or one.
    SELECT identifier, hash, synced, in_app,
        CASE WHEN status IS DISTINCT FROM 'SUCCEEDED' OR mark IS NOT NULL
            THEN [{'mark': mark, 'status': status, 'attempts': attempts, 'last_at': last_at, 'tried': tried}] END AS more
    FROM {{.State}}
), joined AS (
    SELECT coalesce(h.identifier, k.identifier) AS identifier, h.hash,
        h.identifier IS NULL AS removed, k.identifier IS NOT NULL AS known,
        coalesce(k.synced AND k.in_app = {{.KnownInApp}}, false) AS synced,
        coalesce(k.synced AND k.in_app, false) AS in_app,
        k.hash IS NOT DISTINCT FROM h.hash AS same,
        k.more[1].mark AS mark, k.more[1].status AS status, k.more[1].attempts AS attempts, k.more[1].last_at AS last_at,
        coalesce(k.more[1].status IN ('REJECTED', 'INVALID', 'RETRY', 'DELAYED') AND k.more[1].tried IS NOT DISTINCT FROM h.hash, false) AS failed
    FROM sluice_seen h FULL JOIN known k ON k.identifier = h.identifier
), wanted AS (
    -- Of what the source no longer has, a strategy may take away what is in the app.
    SELECT *, removed AND NOT (in_app AND {{.Removed}} <> '') AS absent,
        ({{.Resync}} AND NOT removed) OR coalesce(mark = 'resync', false) AS resync
    FROM joined
), judged AS (
    SELECT *,
        CASE WHEN removed THEN {{.Removed}}
             WHEN NOT synced THEN {{.New}}
             WHEN resync THEN {{.Changed}}
             WHEN same AND (NOT failed OR {{.Unchanged}} <> '') THEN {{.Unchanged}}
             ELSE {{.Changed}} END AS action,
        CASE WHEN failed AND NOT resync THEN 'retry'
             WHEN removed THEN 'removed'
             WHEN NOT synced THEN 'new'
             WHEN resync OR NOT same THEN 'changed'
             ELSE 'unchanged' END AS reason,
        coalesce(status = 'IN_DOUBT' AND mark IS DISTINCT FROM 'resync', false) AS in_doubt,
        failed AND NOT resync AND NOT CASE status
            WHEN 'DELAYED' THEN true
            WHEN 'RETRY' THEN attempts < {{.MaxAttempts}}
            ELSE attempts < {{.MaxAttempts}} AND {{.Now}} >= last_at
                + to_microseconds(least({{.BackoffMicros}}::DOUBLE * pow(2, greatest(attempts, 1) - 1), 86400e6)::BIGINT)
            END AS early
    FROM wanted
), decided AS (
    SELECT *, CASE
            WHEN absent THEN 'absent'
            WHEN action = '' AND NOT in_doubt THEN 'unchanged'
            WHEN coalesce(mark LIKE 'skip%', false) THEN 'skipped'
            WHEN in_doubt OR early THEN 'held'
            ELSE 'send' END AS verdict
    FROM judged
)
SELECT identifier, hash, removed, known, action, reason, verdict
FROM decided
WHERE verdict <> 'unchanged'
