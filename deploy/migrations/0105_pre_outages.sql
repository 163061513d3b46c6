-- Whose each outage is, as published (R20, ADR 105). Only compliance writes here; console and others read.

-- When units were offline or unknown, by what compliance computed of the log. All of it can be made anew from the
-- archive. Instants are microseconds since 1970, as in 0041.
CREATE TABLE compliance.interruptions (
    unit_id    text   NOT NULL,
    started_at bigint NOT NULL,
    ended_at   bigint,                     -- null: it went on as far as we had seen
    connection text   NOT NULL CHECK (connection IN ('offline', 'unknown')),
    cause      text   NOT NULL,
    gateway_id text,                       -- the one that was lost; null where the unit has none, and for what we did not see
    lost_at    bigint,                     -- its last proof of life, null without any
    PRIMARY KEY (unit_id, started_at)
);
CREATE INDEX interruptions_started ON compliance.interruptions (started_at);
CREATE INDEX interruptions_lost ON compliance.interruptions (lost_at) WHERE lost_at IS NOT NULL;

-- Gateways that were lost: what common causes are found by.
CREATE TABLE compliance.losses (
    unit_id    text   NOT NULL,
    gateway_id text   NOT NULL,
    lost_at    bigint NOT NULL,
    district   text   NOT NULL,
    carrier    text   NOT NULL,
    town       text   NOT NULL,
    PRIMARY KEY (unit_id, gateway_id, lost_at)
);
CREATE INDEX losses_at ON compliance.losses (lost_at);

-- Outages with whose they are, revision by revision. A row is never changed; it goes with the days that it lies in (ADR 75).
CREATE TABLE compliance.outages (
    unit_id     text        NOT NULL,
    started_at  timestamptz NOT NULL,
    revision    integer     NOT NULL CHECK (revision > 0),
    known_at    timestamptz NOT NULL,      -- it is what a log cut here says (recorded_at <= known_at)
    recorded_at timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,               -- null: it went on
    connection  text        NOT NULL CHECK (connection IN ('offline', 'unknown')),
    cause       text        NOT NULL,
    attribution text        NOT NULL CHECK (attribution IN ('unit', 'carrier', 'area', 'self')),
    gateway_id  text,
    lost_at     timestamptz,               -- the last proof of life
    group_id    text,                      -- the carrier or town that the loss is put to; null: the unit's own, or ours
    group_from  timestamptz,               -- where the window of that common cause begins
    group_units integer,                   -- how many units were lost in it
    withdrawn   boolean     NOT NULL,      -- what came later says that there was none from this instant on
    PRIMARY KEY (unit_id, started_at, revision)
);
CREATE INDEX outages_started ON compliance.outages (started_at);

-- The revision that stands now.
CREATE VIEW compliance.outages_now AS
    SELECT DISTINCT ON (unit_id, started_at) *
    FROM compliance.outages
    ORDER BY unit_id, started_at, revision DESC;

-- `lost`: days on which an outage begins, or a gateway was lost, otherwise than before.
ALTER TABLE compliance.dirty_days DROP CONSTRAINT dirty_days_part_check;
ALTER TABLE compliance.dirty_days
    ADD CONSTRAINT dirty_days_part_check CHECK (part IN ('within', 'beginning', 'onwards', 'lost'));
