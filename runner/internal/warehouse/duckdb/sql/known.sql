-- Whether the table has any of the rows. A join, because it makes its hash table of
-- the smaller side.
SELECT count(*) > 0
FROM {{.Table}} t JOIN sluice_cast s ON {{range $i, $k := .Keys}}{{if $i}} AND {{end}}t.{{$k.Name}} = s.v{{$k.N}}{{end}}
