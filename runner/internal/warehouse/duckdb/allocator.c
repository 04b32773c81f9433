// The allocator inside DuckDB's library (jemalloc, on Linux) reads this once,
// after DuckDB's own settings. Where DuckDB uses another one nothing reads it. One
// arena is enough for one thread of DuckDB's at a time, though Go calls it from
// many threads, each of which would take its pages from another arena.
const char *duckdb_je_malloc_conf_2_conf_harder = "dirty_decay_ms:0,muzzy_decay_ms:0,narenas:1";
