-- Which reports are sent to whom once their figures are published (ADR 97). Only console writes here.
CREATE TABLE console.report_schedules (
    schedule_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dimension        text        NOT NULL CHECK (dimension IN ('district', 'town', 'department')),
    subject          text        NOT NULL,                -- a code
    period_kind      text        NOT NULL CHECK (period_kind IN
        ('day', 'week', 'month', 'quarter', 'half_year', 'year')),
    created_by       text        NOT NULL,
    created_at       timestamptz NOT NULL,
    since            timestamptz NOT NULL,                -- what was published before is not sent
    paused           boolean     NOT NULL DEFAULT false,
    removed_at       timestamptz,                         -- the row stays: its mails tell what was sent
    planned_from     date,                                -- first day of the newest period that mails were made for
    planned_edition  integer     NOT NULL DEFAULT 0,      -- of that period: 1 the report, from 2 on corrections
    planned_revision integer     NOT NULL DEFAULT 0,      -- of its figures then
    passed_over      integer     NOT NULL DEFAULT 0       -- periods that a newer one was sent instead of
);
CREATE UNIQUE INDEX report_schedules_once ON console.report_schedules (dimension, subject, period_kind)
    WHERE removed_at IS NULL;

CREATE TABLE console.report_recipients (
    schedule_id bigint      NOT NULL REFERENCES console.report_schedules,
    contact_id  text        NOT NULL,                     -- of the register, which has the address
    stop_key    text        NOT NULL UNIQUE,              -- in the mail's link: it ends these mails and opens nothing
    stopped_at  timestamptz,                              -- since then nothing is sent to this contact
    PRIMARY KEY (schedule_id, contact_id)
);

-- One mail of one edition of one period to one recipient: the key keeps a second from being made.
CREATE TABLE console.report_mails (
    mail_id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id   bigint      NOT NULL REFERENCES console.report_schedules,
    contact_id    text        NOT NULL,
    period_from   date        NOT NULL,
    edition       integer     NOT NULL,
    state         text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    planned_at    timestamptz NOT NULL,
    attempts      integer     NOT NULL DEFAULT 0,
    next_try_at   timestamptz NOT NULL,                   -- of one that is being sent: when it is taken for lost
    tried_at      timestamptz,
    trouble       text        NOT NULL DEFAULT '',        -- of the last try, a word of a closed set
    sent_at       timestamptz,
    sent_revision integer,                                -- of the figures that were sent
    sent_to       text,                                   -- the address, as the register had it then
    UNIQUE (schedule_id, period_from, contact_id, edition),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX report_mails_waiting ON console.report_mails (next_try_at) WHERE state = 'waiting';
CREATE INDEX report_mails_tried ON console.report_mails (tried_at);
CREATE INDEX report_mails_by_age ON console.report_mails (planned_at);

-- Who changed which schedule, in a chain that no entry can be taken out of.
CREATE TABLE console.report_audit (
    seq       bigint      PRIMARY KEY,
    at        timestamptz NOT NULL,
    account   text        NOT NULL,                       -- or `contact:ID`, who stopped his own
    action    text        NOT NULL,
    about     text        NOT NULL,                       -- a schedule_id
    detail    jsonb       NOT NULL,
    prev_hash text        NOT NULL,
    hash      text        NOT NULL
);
