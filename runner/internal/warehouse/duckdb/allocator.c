// The allocator inside DuckDB's library (jemalloc, on Linux) reads this once,
// after DuckDB's own settings. Where DuckDB uses another one nothing reads it.
const char *duckdb_je_malloc_conf_2_conf_harder = "dirty_decay_ms:0,muzzy_decay_ms:0";
