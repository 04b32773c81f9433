CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE connectors (
  id       TEXT PRIMARY KEY,
  path     TEXT NOT NULL,
  sha256   TEXT NOT NULL,
  version  TEXT NOT NULL,
  added_at INTEGER NOT NULL           -- microseconds since 1970, as all times
) STRICT;

CREATE TABLE connections (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL                  -- JSON, without secrets
) STRICT;

CREATE TABLE secrets (
  connection TEXT NOT NULL REFERENCES connections (name) ON DELETE CASCADE,
  field      TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  expires_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (connection, field)
) STRICT;

CREATE TABLE syncs (
  name       TEXT PRIMARY KEY,
  connection TEXT NOT NULL REFERENCES connections (name),
  body       TEXT NOT NULL            -- JSON
) STRICT;
CREATE INDEX syncs_by_connection ON syncs (connection);

CREATE TABLE runs (
  id         TEXT PRIMARY KEY,
  sync       TEXT NOT NULL REFERENCES syncs (name) ON DELETE CASCADE,
  state      TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  body       TEXT NOT NULL,           -- JSON
  -- The lease; an empty token means that nobody holds the run.
  lease_token   TEXT NOT NULL DEFAULT '',
  lease_host    TEXT NOT NULL DEFAULT '',
  lease_pid     INTEGER NOT NULL DEFAULT 0,
  lease_started TEXT NOT NULL DEFAULT '',
  lease_until   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_sync ON runs (sync, started_at);

CREATE TABLE tickets (
  run   TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  id    TEXT NOT NULL,
  state TEXT NOT NULL,
  body  TEXT NOT NULL,                -- JSON
  PRIMARY KEY (run, id)
) STRICT;

-- What was spent of a pool, by the end of the slice of time it was spent in. A
-- slice counts until all of it has left the window.
CREATE TABLE spent (
  connection TEXT NOT NULL,
  pool       TEXT NOT NULL,
  ends       INTEGER NOT NULL,
  units      INTEGER NOT NULL,
  PRIMARY KEY (connection, pool, ends)
) STRICT, WITHOUT ROWID;

-- What was granted to runs and not yet spent.
CREATE TABLE leases (
  id         INTEGER PRIMARY KEY,
  connection TEXT NOT NULL,
  pool       TEXT NOT NULL,
  run        TEXT NOT NULL,
  units      INTEGER NOT NULL CHECK (units > 0),
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX leases_by_pool ON leases (connection, pool);
CREATE INDEX leases_by_run ON leases (run);

-- What was last heard of a pool: its window, and what the app said is left.
CREATE TABLE pools (
  connection   TEXT NOT NULL,
  pool         TEXT NOT NULL,
  window       INTEGER NOT NULL DEFAULT 0,
  remaining    INTEGER,
  remaining_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (connection, pool)
) STRICT, WITHOUT ROWID;
