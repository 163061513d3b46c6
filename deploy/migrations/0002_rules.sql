-- Rules: checkpoints, facts and the live read model. Only rules writes here; console reads.
CREATE SCHEMA rules;

-- One row per partition of firenet.signals.v1. owner_epoch fences: a checkpoint names the epoch it was taken under.
CREATE TABLE rules.partitions (
    partition     integer     PRIMARY KEY,
    next_offset   bigint      NOT NULL DEFAULT 0,
    watermark     timestamptz,                      -- every ingest instance has proven up to here
    sight         text        NOT NULL DEFAULT 'blind' CHECK (sight IN ('clear', 'impaired', 'blind')),
    blind_after_s double precision NOT NULL DEFAULT 10,
    owner         text        NOT NULL DEFAULT '',
    owner_epoch   bigint      NOT NULL DEFAULT 0,
    saved_at      timestamptz
);

-- Engine state as written by the checkpoint: a base and the deltas after it, in order of seq.
CREATE TABLE rules.snapshots (
    partition integer NOT NULL,
    seq       bigint  NOT NULL,
    base      boolean NOT NULL,
    body      bytea   NOT NULL,
    PRIMARY KEY (partition, seq)
);

-- Read model: one row per unit, upserted when something other than a heartbeat's time changed.
CREATE TABLE rules.units (
    unit_id                text        PRIMARY KEY,
    partition              integer     NOT NULL,
    name                   text        NOT NULL,
    name_en                text        NOT NULL DEFAULT '',
    district               text        NOT NULL,
    town                   text        NOT NULL,
    community              text        NOT NULL,
    category               text        NOT NULL,
    address                text        NOT NULL DEFAULT '',
    lead_department        text        NOT NULL,
    copy_departments       text[]      NOT NULL DEFAULT '{}',
    routed                 boolean     NOT NULL DEFAULT true,
    carriers               text[]      NOT NULL DEFAULT '{}',
    scopes                 text[]      NOT NULL DEFAULT '{}',
    connection             text        NOT NULL,
    connection_since       timestamptz,                 -- effective
    connection_detected_at timestamptz,
    health                 text        NOT NULL,
    health_since           timestamptz,
    last_proof_at          timestamptz,                 -- as of the last change, not of the last heartbeat
    partly_connected       boolean     NOT NULL DEFAULT false,
    open_fires             integer     NOT NULL DEFAULT 0,
    open_faults            integer     NOT NULL DEFAULT 0,
    open_isolations        integer     NOT NULL DEFAULT 0,
    updated_at             timestamptz NOT NULL
);
CREATE INDEX units_by_department ON rules.units (lead_department);
CREATE INDEX units_by_copies ON rules.units USING gin (copy_departments);
CREATE INDEX units_troubled ON rules.units (connection, health) WHERE connection <> 'online' OR health <> 'normal';

-- Facts, bitemporal. id and effective_at come from the same immutable input, so the pair is unique in a hypertable.
CREATE TABLE rules.transitions (
    transition_id      text        NOT NULL,
    unit_id            text        NOT NULL,
    aspect             text        NOT NULL CHECK (aspect IN ('connection', 'health')),
    from_state         text        NOT NULL,
    to_state           text        NOT NULL,
    effective_at       timestamptz NOT NULL,
    detected_at        timestamptz NOT NULL,
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    cause              text        NOT NULL,
    evidence_topic     text        NOT NULL,
    evidence_partition integer     NOT NULL,
    evidence_offset    bigint      NOT NULL,
    PRIMARY KEY (transition_id, effective_at)
);
CREATE INDEX transitions_by_unit ON rules.transitions (unit_id, effective_at);

-- Signals other than heartbeats.
CREATE TABLE rules.signals (
    signal_id   text        NOT NULL,
    received_at timestamptz NOT NULL,
    unit_id     text        NOT NULL,
    gateway_id  text        NOT NULL,
    kind        text        NOT NULL,
    occurred_at timestamptz,
    seq         bigint,
    body        jsonb       NOT NULL,       -- point, restores, measurement, text, flags, carrier, lane
    partition   integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    PRIMARY KEY (signal_id, received_at)
);
CREATE INDEX signals_by_unit ON rules.signals (unit_id, received_at);

CREATE TABLE rules.heartbeats_hourly (
    unit_id text        NOT NULL,
    hour    timestamptz NOT NULL,
    count   integer     NOT NULL,
    PRIMARY KEY (unit_id, hour)
);

-- Counters of one partition; a district's rate is their sum. dimension: district, town, department, category.
CREATE TABLE rules.rate_counts (
    partition     integer NOT NULL,
    scope         text    NOT NULL,
    dimension     text    NOT NULL,
    value         text    NOT NULL,
    in_scope      integer NOT NULL,      -- the denominator
    connected     integer NOT NULL,      -- online and late: the numerator
    late          integer NOT NULL,
    offline       integer NOT NULL,
    unknown       integer NOT NULL,
    never         integer NOT NULL,
    commissioning integer NOT NULL,
    exempt        integer NOT NULL,      -- in scope, under an approved exemption: in the denominator, shown apart
    PRIMARY KEY (partition, scope, dimension, value)
);

-- One sample per minute of watermark and partition in which a counter differed from the sample before.
CREATE TABLE rules.rate_samples (
    sampled_at timestamptz NOT NULL,
    partition  integer     NOT NULL,
    scope      text        NOT NULL,
    dimension  text        NOT NULL,
    value      text        NOT NULL,
    in_scope   integer     NOT NULL,
    connected  integer     NOT NULL,
    unknown    integer     NOT NULL,
    PRIMARY KEY (partition, scope, dimension, value, sampled_at)
);

-- Findings to send; removed after Kafka has them. position keeps the order per key.
CREATE TABLE rules.outbox (
    position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition integer NOT NULL,
    event_id  text    NOT NULL UNIQUE,
    key       text    NOT NULL,
    payload   bytea   NOT NULL
);

-- Freshness is laid over the facts when they are read: behind a stalled watermark nothing is known, whatever
-- process has died. Unknown is never offline.
CREATE VIEW rules.sight_now AS
SELECT partition, watermark, blind_after_s, saved_at,
       CASE WHEN watermark IS NULL OR now() - watermark > make_interval(secs => blind_after_s)
            THEN 'blind' ELSE sight END AS sight
FROM rules.partitions;

CREATE VIEW rules.units_now AS
SELECT u.*, s.watermark, s.sight,
       CASE WHEN s.sight = 'blind' AND u.connection IN ('online', 'late', 'offline') THEN 'unknown'
            ELSE u.connection END AS connection_now,
       CASE WHEN s.sight = 'blind' AND u.health <> 'fire' THEN 'unknown' ELSE u.health END AS health_now
FROM rules.units u JOIN rules.sight_now s USING (partition);

CREATE VIEW rules.rates_now AS
SELECT c.scope, c.dimension, c.value,
       sum(c.in_scope)::integer AS in_scope,
       sum(CASE WHEN s.sight = 'blind' THEN 0 ELSE c.connected END)::integer AS connected,
       sum(CASE WHEN s.sight = 'blind' THEN 0 ELSE c.late END)::integer AS late,
       sum(CASE WHEN s.sight = 'blind' THEN 0 ELSE c.offline END)::integer AS offline,
       sum(CASE WHEN s.sight = 'blind' THEN c.connected + c.offline + c.unknown ELSE c.unknown END)::integer AS unknown,
       sum(c.never)::integer AS never,
       sum(c.commissioning)::integer AS commissioning,
       sum(c.exempt)::integer AS exempt,
       min(s.watermark) AS watermark
FROM rules.rate_counts c JOIN rules.sight_now s USING (partition)
GROUP BY c.scope, c.dimension, c.value;
