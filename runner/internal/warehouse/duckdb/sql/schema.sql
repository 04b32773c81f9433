CREATE SCHEMA IF NOT EXISTS sluice;

-- Which runs have an outbox (finished_at is null) or had one.
CREATE TABLE IF NOT EXISTS sluice.outboxes (
    sync_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    report VARCHAR NOT NULL,          -- the plan's report, as JSON
    records BIGINT NOT NULL,
    planned_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);

-- Outcomes of runs under way. A later line for the same record replaces an
-- earlier one; ord tells which is later. Compression is said where DuckDB would try
-- all it has and end with none, or with fsst.
CREATE TABLE IF NOT EXISTS sluice.outcome_pending (
    sync_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    ord BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    identifier VARCHAR NOT NULL USING COMPRESSION uncompressed,
    action VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    app_identifier VARCHAR USING COMPRESSION uncompressed,
    class VARCHAR,
    code VARCHAR,
    field VARCHAR,
    message VARCHAR,
    detail VARCHAR,
    settled_at TIMESTAMPTZ NOT NULL
);
CREATE SEQUENCE IF NOT EXISTS sluice.outcome_ord;

-- Outcomes of finished runs, one for each record.
CREATE TABLE IF NOT EXISTS sluice.outcome_log (
    sync_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    identifier VARCHAR NOT NULL USING COMPRESSION fsst,
    action VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    app_identifier VARCHAR USING COMPRESSION fsst,
    class VARCHAR,
    code VARCHAR,
    field VARCHAR,
    message VARCHAR,
    detail VARCHAR,
    settled_at TIMESTAMPTZ NOT NULL
);

-- Runs being finished: outcomes of the records up to moved are in the log.
CREATE TABLE IF NOT EXISTS sluice.finishing (
    sync_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    moved BIGINT NOT NULL
);

CREATE VIEW IF NOT EXISTS sluice.outcomes AS
SELECT sync_id, run_id, seq, identifier, action, status, app_identifier, class, code, field, message, detail, settled_at
FROM sluice.outcome_log
UNION ALL
SELECT sync_id, run_id, seq, identifier, action, status, app_identifier, class, code, field, message, detail, settled_at
FROM sluice.outcome_pending p
WHERE NOT EXISTS (SELECT 1 FROM sluice.finishing f WHERE f.sync_id = p.sync_id AND f.run_id = p.run_id AND f.moved >= p.seq)
QUALIFY row_number() OVER (PARTITION BY sync_id, run_id, seq ORDER BY ord DESC) = 1;

-- Cursors of inbound streams.
CREATE TABLE IF NOT EXISTS sluice.stream_state (
    sync_id VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    state VARCHAR NOT NULL,            -- '' when there is none
    refresh_runs VARCHAR[],            -- runs of the full refresh under way
    run_id VARCHAR NOT NULL,           -- the last run, and what it committed:
    rows_committed BIGINT NOT NULL,
    rows_deleted BIGINT NOT NULL,
    values_unparsed BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
