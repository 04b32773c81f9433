-- What the log says of each record of the outbox. A record that was never
-- settled was not attempted; one the user skipped stays as it is.
CREATE TEMP TABLE sluice_done AS
WITH last AS (
    SELECT * FROM sluice.outcome_pending
    WHERE sync_id = {{.Sync}} AND run_id = {{.Run}} AND seq BETWEEN {{.First}} AND {{.Last}}
    QUALIFY row_number() OVER (PARTITION BY seq ORDER BY ord DESC) = 1
)
SELECT o.identifier, o.action, o.removed, o.hash, coalesce(p.status, 'DELAYED') AS status,
    coalesce(nullif(p.app_identifier, ''), o.app_identifier) AS app_identifier,
    p.class, p.code, p.field, p.message, coalesce(p.settled_at, {{.At}}) AS settled_at,
    CASE WHEN p.status IN ('REJECTED', 'INVALID', 'RETRY', 'IN_DOUBT') THEN 1 ELSE 0 END AS attempted
FROM {{.Outbox}} o LEFT JOIN last p ON p.seq = o.seq
WHERE o.seq BETWEEN {{.First}} AND {{.Last}} AND p.status IS DISTINCT FROM 'SKIPPED';

MERGE INTO {{.State}} s USING sluice_done d ON s.identifier = d.identifier
WHEN MATCHED AND d.status = 'SUCCEEDED' AND d.removed THEN DELETE
WHEN MATCHED AND d.status = 'SUCCEEDED' THEN UPDATE SET
    synced = true, in_app = d.action <> 'Delete', hash = d.hash,
    app_identifier = coalesce(d.app_identifier, s.app_identifier),
    action = d.action, status = d.status, class = NULL, code = NULL, field = NULL, message = NULL,
    tried = d.hash, attempts = 0, last_run = {{.Run}}, last_at = d.settled_at
WHEN MATCHED THEN UPDATE SET
    app_identifier = coalesce(d.app_identifier, s.app_identifier),
    attempts = CASE WHEN s.tried IS NOT DISTINCT FROM d.hash THEN s.attempts ELSE 0 END + d.attempted,
    action = d.action, status = d.status, class = d.class, code = d.code, field = d.field, message = d.message,
    tried = d.hash, last_run = {{.Run}}, last_at = d.settled_at
WHEN NOT MATCHED AND NOT (d.removed AND d.status = 'SUCCEEDED') THEN INSERT
    (identifier, synced, in_app, hash, app_identifier, action, status, class, code, field, message, tried, attempts, last_run, last_at, mark)
    VALUES (d.identifier, d.status = 'SUCCEEDED', d.status = 'SUCCEEDED' AND d.action <> 'Delete',
        CASE WHEN d.status = 'SUCCEEDED' THEN d.hash END, d.app_identifier, d.action, d.status,
        d.class, d.code, d.field, d.message, d.hash, d.attempted, {{.Run}}, d.settled_at, NULL);

INSERT INTO sluice.outcome_log
SELECT sync_id, run_id, seq, identifier, action, status, app_identifier, class, code, field, message, detail, settled_at
FROM sluice.outcome_pending
WHERE sync_id = {{.Sync}} AND run_id = {{.Run}} AND seq BETWEEN {{.First}} AND {{.Last}}
QUALIFY row_number() OVER (PARTITION BY seq ORDER BY ord DESC) = 1
ORDER BY seq;

DROP TABLE sluice_done;

UPDATE sluice.finishing SET moved = {{.Last}} WHERE sync_id = {{.Sync}} AND run_id = {{.Run}};
