-- Records known to be in the app that the source no longer has; none where the
-- strategy does nothing about them.
CREATE TEMP TABLE sluice_gone AS
WITH judged AS (
    SELECT s.identifier, s.app_identifier, s.mark, s.status, s.attempts, s.last_at,
        {{.Removed}} AS action,
        CASE WHEN failed AND NOT resync THEN 'retry' ELSE 'removed' END AS reason,
        coalesce(s.status = 'IN_DOUBT' AND NOT resync, false) AS in_doubt,
        failed AND NOT resync AND NOT ({{template "due" .}}) AS early
    FROM (SELECT *,
            coalesce(status IN ('REJECTED', 'INVALID', 'RETRY', 'DELAYED') AND tried IS NULL, false) AS failed,
            coalesce(mark = 'resync', false) AS resync
        FROM {{.State}}) s
    WHERE {{.Removed}} <> '' AND s.synced AND s.in_app
        AND NOT EXISTS (SELECT 1 FROM sluice_diff d WHERE d.identifier = s.identifier)
)
SELECT identifier, app_identifier, action, reason, {{template "verdict" .}} AS verdict
FROM judged
ORDER BY identifier
