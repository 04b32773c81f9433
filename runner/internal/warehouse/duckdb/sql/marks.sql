-- A mark for the next run is used up by it. A record to be sent again because
-- the user said so stays due until it has an outcome.
UPDATE {{.State}} SET mark = NULL WHERE mark = 'skip_once';
{{if .Outbox}}UPDATE {{.State}} AS s SET mark = NULL, status = 'DELAYED', tried = o.hash
FROM {{.Outbox}} o WHERE o.identifier = s.identifier AND s.mark = 'resync';{{end}}
