-- Figures of closed periods, revision by revision (ADR 41). Only compliance writes here; console and others read.
-- A row is never changed and never removed but by retention: what was published stays as it was.
CREATE SCHEMA compliance;

CREATE TABLE compliance.figures (
    metric       text        NOT NULL,     -- a name of docs/domain/figures.md, section 6
    scope        text        NOT NULL,     -- of the pack, or several joined by +
    slice_kind   text        NOT NULL CHECK (slice_kind IN
        ('district', 'town', 'community', 'category', 'department', 'unit')),
    slice_id     text        NOT NULL,
    period_kind  text        NOT NULL CHECK (period_kind IN
        ('day', 'week', 'month', 'quarter', 'half_year', 'year')),
    period_from  timestamptz NOT NULL,     -- a midnight of Asia/Shanghai
    period_to    timestamptz NOT NULL,     -- the first instant after it; a metric of an instant is of this one
    revision     integer     NOT NULL CHECK (revision > 0),
    known_at     timestamptz NOT NULL,     -- the figure is that of a log cut here (recorded_at <= known_at)
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    numerator    numeric     NOT NULL,     -- whole numbers; points x microseconds of a year do not fit a bigint
    denominator  numeric     NOT NULL,
    unknown      numeric     NOT NULL,
    exempt       numeric     NOT NULL,
    value        text,                     -- per cent floored to one decimal, null when the denominator is 0
    low          text,
    high         text,
    verdict      text        NOT NULL CHECK (verdict IN
        ('compliant', 'non_compliant', 'undetermined', 'no_target', 'not_applicable')),
    reason       text        NOT NULL,
    pack_id      text        NOT NULL,     -- in force on the period's last day
    pack_version integer     NOT NULL,
    difference   json        NOT NULL,     -- {field: [old, new]} from the revision before, {} for the first
    figure       json        NOT NULL,     -- the figure as `python -m services.compliance figures` prints it, byte for byte
    PRIMARY KEY (metric, scope, slice_kind, slice_id, period_kind, period_from, revision)
);
CREATE INDEX figures_of_slice ON compliance.figures (slice_kind, slice_id, period_kind, period_from);
CREATE INDEX figures_of_period ON compliance.figures (period_kind, period_from);

-- The revision that stands now.
CREATE VIEW compliance.figures_now AS
    SELECT DISTINCT ON (metric, scope, slice_kind, slice_id, period_kind, period_from) *
    FROM compliance.figures
    ORDER BY metric, scope, slice_kind, slice_id, period_kind, period_from, revision DESC;

-- What is to be sent, written with what it tells of; removed once Kafka has it (ADR 5).
CREATE TABLE compliance.outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic    text  NOT NULL,
    key      text  NOT NULL,
    payload  bytea NOT NULL
);

-- What the newest close that counts said of a target of a body (ADR 41).
CREATE TABLE compliance.findings (
    body_id     text        NOT NULL,
    metric      text        NOT NULL,
    scope       text        NOT NULL,
    period_kind text        NOT NULL,
    finding_id  text        NOT NULL,      -- the body's, derived from its cause (ADR 4); '' when there was none yet
    figure_from timestamptz NOT NULL,      -- where the period of that close begins
    revision    integer     NOT NULL,
    is_missed   boolean     NOT NULL,
    PRIMARY KEY (body_id, metric, scope, period_kind)
);
