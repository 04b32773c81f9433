// The allocator inside DuckDB's library (jemalloc, on Linux) reads this once,
// after DuckDB's own settings. Where DuckDB uses another one nothing reads it. One
// arena is enough for one thread of DuckDB's at a time, though Go calls it from
// many threads, each of which would take its pages from another arena.
const char *duckdb_je_malloc_conf_2_conf_harder = "dirty_decay_ms:0,muzzy_decay_ms:0,narenas:1";

// Blocks of data come from that allocator; what DuckDB knows of its tables and
// statements comes from the C library's, in small pieces. glibc would give each
// thread a heap of its own too, and returns only the end of a heap by itself: after a
// plan of ten million records three quarters of it are holes.
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>

__attribute__((constructor)) static void sluice_one_heap(void) { mallopt(M_ARENA_MAX, 1); }
#endif

// sluice_return_holes gives them back to the system where they are more than so
// many bytes.
void sluice_return_holes(size_t most) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	if (mallinfo2().fordblks > most) malloc_trim(0);
#else
	(void)most;
#endif
}
