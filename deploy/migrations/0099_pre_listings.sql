-- Listed supervision (挂牌督办) of cases, from the proposal to its closure (销案). Only alerts writes here.

-- One row a listing; the rules are those of services/alerts/domain/listing/listing.py.
CREATE TABLE alerts.listings (
    listing_id      text        PRIMARY KEY,
    case_id         text        NOT NULL REFERENCES alerts.cases,
    number          integer     NOT NULL,                 -- 1, 2, ... within the case
    state           text        NOT NULL CHECK (state IN ('proposed', 'declined', 'withdrawn', 'listed', 'recheck', 'approval', 'closed')),
    proposed_at     timestamptz NOT NULL,
    proposed_by     text        NOT NULL,                 -- account, or 'ladder'
    reason          text        NOT NULL DEFAULT '',
    level           text        CHECK (level IN ('district', 'city', 'province')),
    document        text        NOT NULL DEFAULT '',      -- number of the authority's decision to list
    listed_on       date,
    deadline        date,
    due_at          timestamptz,                          -- when the day of the deadline ends, or of the next working day
    extension       jsonb,                                -- asked for and not decided
    evidence        integer     NOT NULL DEFAULT 0,       -- files of this round
    files           integer     NOT NULL DEFAULT 0,       -- of all rounds
    recheck         jsonb,                                -- the one that was passed
    approved_by     text        NOT NULL DEFAULT '',
    ended_at        timestamptz,
    revision        integer     NOT NULL DEFAULT 1,
    UNIQUE (case_id, number),
    -- what no path of the program makes, no hand makes either
    CHECK (state <> 'closed' OR (files > 0 AND recheck IS NOT NULL AND approved_by <> '' AND approved_by <> recheck ->> 'by')),
    CHECK (state NOT IN ('listed', 'recheck', 'approval', 'closed') OR (level IS NOT NULL AND document <> '' AND due_at IS NOT NULL))
);
-- one at a time
CREATE UNIQUE INDEX listings_active ON alerts.listings (case_id) WHERE ended_at IS NULL;
CREATE INDEX listings_by_time ON alerts.listings (proposed_at DESC, listing_id);

-- What people did with it, in their order; nothing is changed or taken out.
CREATE TABLE alerts.listing_acts (
    listing_id text        NOT NULL REFERENCES alerts.listings,
    number     integer     NOT NULL,
    case_id    text        NOT NULL,
    at         timestamptz NOT NULL,
    by         text        NOT NULL,
    body_code  text        NOT NULL DEFAULT '',           -- '' of brigade and centre
    act        text        NOT NULL,
    detail     jsonb       NOT NULL,
    PRIMARY KEY (listing_id, number)
);
CREATE INDEX listing_acts_case ON alerts.listing_acts (case_id);

-- Evidence that was handed in. The same file may come again in a later round.
CREATE TABLE alerts.listing_files (
    listing_id text        NOT NULL REFERENCES alerts.listings,
    number     integer     NOT NULL,                      -- of the act
    case_id    text        NOT NULL,
    sha256     text        NOT NULL,
    name       text        NOT NULL,
    media_type text        NOT NULL,
    size       integer     NOT NULL CHECK (size BETWEEN 1 AND 5242880),
    content    bytea       NOT NULL,
    PRIMARY KEY (listing_id, number, sha256)
);
CREATE INDEX listing_files_case ON alerts.listing_files (case_id);

-- The listing in force of a case, its deadline, and since when the trouble of a listed case is over. Columns and no clock:
-- a version before, which knows no such clock, goes on reading and writing the case.
ALTER TABLE alerts.cases ADD COLUMN listing_id text;
ALTER TABLE alerts.cases ADD COLUMN listing_due_at timestamptz;
ALTER TABLE alerts.cases ADD COLUMN cured_at timestamptz;
