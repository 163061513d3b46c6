-- What compliance keeps of the log beside the archive, to close periods without reading all of it again (ADR 40).
-- All of it can be made anew from the archive; only compliance.figures cannot. Instants are microseconds since 1970,
-- days numbers of days of Asia/Shanghai since then.

-- How far the log is read: everything recorded up to known_at. One row.
CREATE TABLE compliance.log_position (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    known_at         bigint  NOT NULL,
    computed_at      bigint  NOT NULL,     -- up to there unit-days are
    published_at     bigint  NOT NULL,     -- and figures
    published_closed bigint,               -- the watermark of that publication
    state            json    NOT NULL      -- of the fold: offsets, ticks, gaps, packs
);

CREATE TABLE compliance.records (
    kind text NOT NULL CHECK (kind IN ('unit', 'gateway', 'adjustment')),
    id   text NOT NULL,
    data json NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Signs of life that say nothing else: five bytes each, microseconds since the day began, in order of arrival.
CREATE TABLE compliance.heartbeats (
    unit_id    text    NOT NULL,
    gateway_id text    NOT NULL,
    day        integer NOT NULL,
    received   bytea   NOT NULL,
    PRIMARY KEY (unit_id, gateway_id, day)
);
ALTER TABLE compliance.heartbeats ALTER COLUMN received SET STORAGE EXTERNAL;  -- it does not compress

-- Every other signal, of copies the earliest (R9).
CREATE TABLE compliance.signals (
    source   text   NOT NULL,
    id       text   NOT NULL,
    unit_id  text   NOT NULL,
    received bigint NOT NULL,
    fact     json   NOT NULL,
    PRIMARY KEY (source, id)
);
CREATE INDEX signals_of_unit ON compliance.signals (unit_id);

CREATE TABLE compliance.checks (
    position   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id text   NOT NULL,
    command_id text   NOT NULL,
    ordered_at bigint NOT NULL,
    step       text   NOT NULL
);
CREATE INDEX checks_of_gateway ON compliance.checks (gateway_id);

CREATE TABLE compliance.units (
    unit_id   text PRIMARY KEY,
    first_day integer,                     -- days from it on are computed the next time; null: all
    cuts      json NOT NULL DEFAULT '[]',  -- [gateway, proof, first proof]: the past of a gateway that matters no more
    faults    json NOT NULL DEFAULT '[]',  -- [begun, ended]
    checks    json NOT NULL DEFAULT '[]'   -- [ordered_at, end]
);

CREATE TABLE compliance.unit_days (
    unit_id text    NOT NULL,
    day     integer NOT NULL,
    parts   json    NOT NULL,
    PRIMARY KEY (unit_id, day)
);

-- Days whose figures may have changed since the last publication; `onwards` means all later ones too.
CREATE TABLE compliance.dirty_days (
    day     integer NOT NULL,
    part    text    NOT NULL CHECK (part IN ('within', 'beginning', 'onwards')),
    PRIMARY KEY (day, part)
);
