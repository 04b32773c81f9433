-- Record state of one sync: one row for each identifier known.
CREATE TABLE IF NOT EXISTS {{.State}} (
    identifier VARCHAR NOT NULL USING COMPRESSION fsst,
    synced BOOLEAN NOT NULL,        -- the app said yes to hash
    in_app BOOLEAN NOT NULL,        -- known to be in the app
    hash UHUGEINT USING COMPRESSION uncompressed, -- of the mapped values the app said yes to
    app_identifier VARCHAR USING COMPRESSION fsst,
    action VARCHAR,                 -- the last one tried, and what became of it:
    status VARCHAR,
    class VARCHAR,
    code VARCHAR,
    field VARCHAR,
    message VARCHAR,
    tried UHUGEINT USING COMPRESSION uncompressed, -- hash of the values tried; null for a removal
    attempts INTEGER NOT NULL,      -- runs that tried these values and failed
    last_run VARCHAR,
    last_at TIMESTAMPTZ,
    mark VARCHAR
);
