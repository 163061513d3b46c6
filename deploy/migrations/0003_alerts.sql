-- Alerts: cases, the ladder's timers, the outbox of notices, the audit chain. Only alerts writes here; console reads.
CREATE SCHEMA alerts;

CREATE TABLE alerts.cases (
    case_id          text        PRIMARY KEY,
    kind             text        NOT NULL,          -- a finding kind, or common_cause
    unit_id          text,                          -- null for a common case
    finding_id       text        NOT NULL,
    state            text        NOT NULL CHECK (state IN ('open', 'closed')),
    effective_at     timestamptz NOT NULL,
    detected_at      timestamptz NOT NULL,          -- the ladder's clock starts here
    opened_at        timestamptz NOT NULL,          -- recorded
    closed_at        timestamptz,
    close_reason     text,
    unit_name        text        NOT NULL DEFAULT '',
    unit_name_en     text        NOT NULL DEFAULT '',
    district         text        NOT NULL DEFAULT '',
    town             text        NOT NULL DEFAULT '',
    category         text        NOT NULL DEFAULT '',
    lead_department  text        NOT NULL DEFAULT '',   -- the route in force when the case was opened
    copy_departments text[]      NOT NULL DEFAULT '{}',
    route_clause     text        NOT NULL DEFAULT '',
    cause_key        text,                              -- common case: carrier:NAME or town:CODE
    common_case_id   text REFERENCES alerts.cases,
    sightings        integer     NOT NULL DEFAULT 1,
    drops            integer     NOT NULL DEFAULT 1,    -- times the unit dropped within this case
    last_sighting_at timestamptz NOT NULL,
    pack_id          text        NOT NULL,
    pack_version     integer     NOT NULL,
    clause           text        NOT NULL,
    evidence         jsonb       NOT NULL,
    ladder           jsonb       NOT NULL,              -- snapshot of the steps at opening
    step             text,                              -- last step taken
    next_step        text,
    next_step_at     timestamptz,                       -- real time at which it falls due (clock rate applied)
    held_until       timestamptz,                       -- common cause: steps after the first wait
    lease_until      timestamptz,
    acknowledged_at  timestamptz,
    acknowledged_by  text,
    acknowledged_via text,
    acknowledged_note text,
    acknowledged_step text,
    reply_due_at     timestamptz,
    revision         bigint      NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX one_open_case ON alerts.cases (unit_id, kind) WHERE state = 'open' AND unit_id IS NOT NULL;
CREATE UNIQUE INDEX one_open_common_case ON alerts.cases (cause_key) WHERE state = 'open' AND cause_key IS NOT NULL AND kind = 'common_cause';
CREATE INDEX cases_due ON alerts.cases (next_step_at) WHERE state = 'open' AND next_step_at IS NOT NULL;
CREATE INDEX cases_recent ON alerts.cases (unit_id, kind, closed_at DESC);
CREATE INDEX cases_common ON alerts.cases (common_case_id) WHERE common_case_id IS NOT NULL;
CREATE INDEX cases_opened ON alerts.cases (opened_at DESC);

-- What was already taken in, so that a repeated record has no second effect.
CREATE TABLE alerts.seen (
    event_id text        PRIMARY KEY,
    seen_at  timestamptz NOT NULL
);

CREATE TABLE alerts.steps (
    case_id  text        NOT NULL REFERENCES alerts.cases,
    step     text        NOT NULL,
    due_at   timestamptz NOT NULL,
    taken_at timestamptz NOT NULL,
    document text        NOT NULL,
    clause   text        NOT NULL,
    told     text[]      NOT NULL,                       -- body codes and unit roles that a notice was made for
    nobody   text,                                       -- why nobody was told, when so
    PRIMARY KEY (case_id, step)
);

CREATE TABLE alerts.notices (
    notice_id        text        PRIMARY KEY,
    case_id          text        NOT NULL REFERENCES alerts.cases,
    step             text        NOT NULL,
    purpose          text        NOT NULL CHECK (purpose IN ('notice', 'all_clear')),
    body_code        text        NOT NULL,
    contact_id       text        NOT NULL,
    channel          text        NOT NULL CHECK (channel IN ('email', 'webhook')),
    address          text        NOT NULL,
    secret_ref       text,
    lang             text        NOT NULL,
    template         text        NOT NULL,               -- name@version
    subject          text        NOT NULL,
    body             text        NOT NULL,
    clause           text        NOT NULL,
    created_at       timestamptz NOT NULL,
    fire             boolean     NOT NULL DEFAULT false, -- jumps every queue
    state            text        NOT NULL CHECK (state IN ('pending', 'sending', 'accepted', 'dead', 'cancelled')),
    attempts         integer     NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz,
    lease_until      timestamptz,
    ended_at         timestamptz,
    reason           text,                               -- closed set: why it is dead, cancelled or waits
    detail           text,
    published        boolean     NOT NULL DEFAULT false  -- on firenet.notices.v1
);
CREATE INDEX notices_due ON alerts.notices (fire DESC, next_attempt_at) WHERE state IN ('pending', 'sending');
CREATE INDEX notices_by_case ON alerts.notices (case_id);
CREATE INDEX notices_unpublished ON alerts.notices (notice_id) WHERE NOT published AND state IN ('accepted', 'dead', 'cancelled');

-- Hash-chained: hash = sha256(prev_hash || canonical JSON of the row). Verified offline.
CREATE TABLE alerts.audit (
    seq       bigint      PRIMARY KEY,
    at        timestamptz NOT NULL,
    actor     text        NOT NULL,
    action    text        NOT NULL,
    case_id   text,
    detail    jsonb       NOT NULL,
    prev_hash text        NOT NULL,
    hash      text        NOT NULL
);
CREATE INDEX audit_by_case ON alerts.audit (case_id, seq);

CREATE TABLE alerts.partitions (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL DEFAULT 0,
    owner       text    NOT NULL DEFAULT '',
    owner_epoch bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
);
