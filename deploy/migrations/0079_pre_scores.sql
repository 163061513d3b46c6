-- Points that people enter for criteria of an evaluation (ADR 79). Never changed, never deleted: of several for the same
-- criterion, body and month the last holds. Who did it stands in registry.adjustment_audit too, by `entry_id`.
CREATE TABLE registry.manual_scores (
    entry_id     text        PRIMARY KEY,           -- S2026-000001
    district     text        NOT NULL,
    scheme_id    text        NOT NULL,              -- a name in `evaluation` of the pack
    body_id      text        NOT NULL,
    criterion_id text        NOT NULL,
    month        date        NOT NULL CHECK (extract(day FROM month) = 1),
    points       numeric,                           -- NULL: what was entered before is taken back
    most         integer     NOT NULL,              -- of how many points, by the pack that held when they were entered
    reason       text        NOT NULL,
    account      text        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    CHECK (points >= 0 AND points <= most)
);
CREATE INDEX manual_scores_of_body ON registry.manual_scores (body_id, month);

-- Scores of bodies, revision by revision (ADR 79). Only compliance writes here. A row is never changed.
CREATE TABLE compliance.scores (
    scheme_id    text        NOT NULL,
    body_id      text        NOT NULL,
    period_kind  text        NOT NULL CHECK (period_kind IN ('month', 'quarter', 'year')),
    period_from  timestamptz NOT NULL,
    period_to    timestamptz NOT NULL,
    revision     integer     NOT NULL CHECK (revision > 0),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    low          text,                              -- of 100 points, floored to one decimal; NULL: it counts nothing
    high         text,
    grade        text        CHECK (grade IN ('excellent', 'good', 'competent', 'not_competent')), -- NULL: lies between two
    provisional  boolean     NOT NULL,              -- judges nobody yet
    list         text        CHECK (list IN ('green', 'red')),
    pack_id      text        NOT NULL,              -- in force on the period's last day
    pack_version integer     NOT NULL,
    withdrawn    boolean     NOT NULL,              -- packs and figures that stand make no such score any more
    score        json        NOT NULL,              -- all of it, as `python -m services.compliance evaluate` prints it
    PRIMARY KEY (scheme_id, body_id, period_kind, period_from, revision)
);
CREATE INDEX scores_of_period ON compliance.scores (period_kind, period_from);

-- The revision that stands now.
CREATE VIEW compliance.scores_now AS
    SELECT DISTINCT ON (scheme_id, body_id, period_kind, period_from) *
    FROM compliance.scores
    ORDER BY scheme_id, body_id, period_kind, period_from, revision DESC;
