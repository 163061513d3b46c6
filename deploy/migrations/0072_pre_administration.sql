-- Proposals: files and forms that somebody wants the register to take, and who agreed. Never deleted.
CREATE TABLE registry.proposals (
    proposal_id      text        PRIMARY KEY,
    kind             text        NOT NULL CHECK (kind IN ('unit', 'gateway', 'contact', 'department', 'pack')),
    file_name        text        NOT NULL,
    content          bytea       NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 4194304),
    sha256           text        NOT NULL,
    valid_from       date,
    meant            boolean     NOT NULL,
    reason           text        NOT NULL,
    rows             integer     NOT NULL,
    entities         text[]      NOT NULL,
    requested_by     text        NOT NULL,
    requested_at     timestamptz NOT NULL,
    known_at         timestamptz,                        -- newest recorded_at of the register then; NULL: it was empty
    changes_sha256   text        NOT NULL,               -- of all that the file would have changed then
    approvals_needed integer     NOT NULL CHECK (approvals_needed IN (0, 1)),
    approvals        text[]      NOT NULL,
    state            text        NOT NULL CHECK (state IN ('requested', 'approved', 'rejected', 'withdrawn')),
    changed_at       timestamptz,
    note             text        NOT NULL,
    CHECK (requested_by <> ALL (approvals)),
    CHECK (state <> 'approved' OR cardinality(approvals) >= approvals_needed),
    CHECK (kind = 'pack' OR valid_from IS NULL)
);
CREATE INDEX proposals_by_age ON registry.proposals (requested_at DESC, proposal_id DESC);
CREATE INDEX proposals_waiting ON registry.proposals (requested_at) WHERE state = 'requested';

-- One audit for both kinds of request: `adjustment_id` is the id of an adjustment (A..) or of a proposal (R..).
ALTER TABLE registry.adjustment_audit DROP CONSTRAINT adjustment_audit_adjustment_id_fkey;

-- Administrators of accounts, one-time passwords, and who did what to accounts.

ALTER TABLE console.accounts ADD COLUMN administers boolean NOT NULL DEFAULT false;
ALTER TABLE console.accounts ADD COLUMN one_time_until timestamptz;      -- somebody else drew the password: to be changed by then

-- In a chain that no entry can be taken out of.
CREATE TABLE console.account_audit (
    seq       bigint      PRIMARY KEY,
    at        timestamptz NOT NULL,
    account   text        NOT NULL,
    action    text        NOT NULL,
    about     text        NOT NULL,
    detail    jsonb       NOT NULL,
    prev_hash text        NOT NULL,
    hash      text        NOT NULL
);
