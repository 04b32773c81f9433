-- 12,000 varied companies for the demo: eight scripts, commas, quotes, line
-- breaks, blanks. The same rows at every run.
CREATE OR REPLACE TABLE customers AS
WITH words AS (
  SELECT
    ['Blue','Old','North','Grand','Silver','Open','First','Bright','Quiet','Green','Royal','Swift',
     'São','Müller','Łódź','Αθήνα','Москва','東京','上海','서울','दिल्ली','القاهرة','תל אביב','Ålesund'] AS first,
    ['River','Stone','Harbour','Field','Bridge','Tower','Forest','Lake','Mill','Garden','Port','Hill',
     'Verlag','Εκδόσεις','Завод','製作所','贸易','상사','उद्योग','للتجارة','בע"מ','Fabrik','Ferme','Taller'] AS second,
    ['Ltd','Inc.','& Sons','GmbH','S.A.','"Co-op"','AB','Oy','K.K.','PLC','Group, Inc.','d.o.o.'] AS form,
    ['Technology','Manufacturing/Industrial','Real Estate','Agriculture','Education','Retail','Consulting','Energy'] AS trade,
    ['Paris','Porto','Lagos','Quito','Osaka','Pune','Oslo','Lyon','Kyiv','Cairo','Busan','Haifa'] AS town
)
, rolls AS (  -- one column of dice for each property, the same at every run
  SELECT i, [(hash(i, n) >> 8)::BIGINT & 1073741823 FOR n IN range(13)] AS d FROM range(1, 12001) AS r(i)
)
SELECT
  printf('C%06d', i)                                                      AS customer_id,
  first[1 + d[1] % 24] || ' ' || second[1 + d[2] % 24] || ' '
    || form[1 + d[3] % 12] || ' ' || i                                    AS name,
  CASE WHEN d[4] % 10 = 0 THEN NULL
       ELSE printf('https://www.c%05d.example/', i) END                   AS website,
  CASE WHEN d[5] % 8 = 0 THEN NULL
       ELSE printf('+%d %d', 10 + d[6] % 80, 100000000 + d[7] % 899999999) END AS phone,
  trade[1 + d[8] % 8]                                                     AS industry,
  town[1 + d[9] % 12]                                                     AS city,
  (d[10] % 50000)::INTEGER                                                AS employees,
  CASE WHEN d[11] % 5 = 0 THEN NULL
       ELSE (d[12] % 900000000 / 100.0)::DECIMAL(12, 2) END               AS revenue,
  CASE d[13] % 4 WHEN 0 THEN 'Said: "call back", twice.'
                 WHEN 1 THEN 'Line one' || chr(10) || 'line two, with a comma'
                 WHEN 2 THEN '' ELSE NULL END                             AS note
FROM rolls, words;
