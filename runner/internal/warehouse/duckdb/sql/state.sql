-- Record state of one sync: one row for each identifier known.
CREATE TABLE IF NOT EXISTS {{.State}} (
    identifier VARCHAR NOT NULL,
    synced BOOLEAN NOT NULL,        -- the app said yes to hash
    in_app BOOLEAN NOT NULL,        -- known to be in the app
    hash UHUGEINT,                  -- of the mapped values the app said yes to
    app_identifier VARCHAR,
    action VARCHAR,                 -- the last one tried, and what became of it:
    status VARCHAR,
    class VARCHAR,
    code VARCHAR,
    field VARCHAR,
    message VARCHAR,
    tried UHUGEINT,                 -- hash of the values tried; null for a removal
    attempts INTEGER NOT NULL,      -- runs that tried these values and failed
    last_run VARCHAR,
    last_at TIMESTAMPTZ,
    mark VARCHAR
);
