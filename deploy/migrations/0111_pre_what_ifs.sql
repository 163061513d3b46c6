-- What a pack would have said of a closed period, asked in the browser (ADR 111). Console writes who asked what,
-- compliance what came of it; each reads the other's. Nothing of it is a published figure.
CREATE TABLE console.what_ifs (
    what_if_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_by    text        NOT NULL,
    asked_at    timestamptz NOT NULL,
    period_kind text        NOT NULL CHECK (period_kind IN ('day', 'week', 'month')),
    first_day   date        NOT NULL,
    source      text        NOT NULL,                     -- a file's name, a proposal's number, or pack and version
    pack        text        NOT NULL CHECK (octet_length(pack) <= 4194304)  -- YAML, as the registry writes it
);

CREATE TABLE compliance.what_ifs (
    what_if_id  bigint      PRIMARY KEY,                  -- of console.what_ifs; without a row here nobody took it yet
    state       text        NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    attempts    integer     NOT NULL,
    lease_until timestamptz NOT NULL,                     -- of a running one: when its process is taken for lost
    ended_at    timestamptz,
    reason      text        NOT NULL DEFAULT '',          -- why it failed, a word of a closed set
    result      jsonb,
    CHECK ((state = 'running') = (ended_at IS NULL)),
    CHECK ((state = 'done') = (result IS NOT NULL)),
    CHECK ((state = 'failed') = (reason <> ''))
);
