UPDATE {{.Table}} AS t SET _sluice_deleted = true, _sluice_deleted_at = s.gone_at, _sluice_run = {{.Run}}
FROM (SELECT app, max(deleted_at::TIMESTAMPTZ) AS gone_at FROM {{.Stage}} GROUP BY app) s
WHERE t._sluice_app_identifier = s.app AND t._sluice_deleted IS NOT TRUE
