-- Adjustments: what a person asks to be counted otherwise than it was measured, who approved it, and what became of it.
ALTER TABLE registry.versions DROP CONSTRAINT versions_kind_check;
ALTER TABLE registry.versions ADD CONSTRAINT versions_kind_check
    CHECK (kind IN ('unit', 'gateway', 'contact', 'department', 'pack', 'adjustment'));

-- Never deleted: what was rejected or withdrawn stays. Approved ones are versions of kind 'adjustment' besides.
CREATE TABLE registry.adjustments (
    adjustment_id    text        PRIMARY KEY,
    unit_id          text        NOT NULL,
    what             text        NOT NULL CHECK (what IN ('correction', 'exemption', 'maintenance', 'test')),
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    counted_as       text,
    system           text,
    address          text,
    trouble          text,
    reason           text        NOT NULL,
    evidence         text,
    requested_by     text        NOT NULL,
    requested_at     timestamptz NOT NULL,
    approvals_needed integer     NOT NULL CHECK (approvals_needed IN (1, 2)),
    approvals        text[]      NOT NULL,
    state            text        NOT NULL CHECK (state IN ('requested', 'approved', 'rejected', 'withdrawn', 'ended')),
    changed_at       timestamptz,
    note             text        NOT NULL,
    CHECK (ends_at >= starts_at),
    CHECK (requested_by <> ALL (approvals)),
    CHECK (state NOT IN ('approved', 'ended') OR cardinality(approvals) >= approvals_needed),
    CHECK ((what = 'correction') = (counted_as IS NOT NULL))
);
CREATE INDEX adjustments_by_age ON registry.adjustments (requested_at DESC, adjustment_id DESC);
CREATE INDEX adjustments_waiting ON registry.adjustments (requested_at) WHERE state = 'requested';
CREATE INDEX adjustments_in_force ON registry.adjustments (ends_at) WHERE state IN ('approved', 'ended');

-- Who did what, in a chain that no entry can be taken out of.
CREATE TABLE registry.adjustment_audit (
    seq           bigint      PRIMARY KEY,
    at            timestamptz NOT NULL,
    account       text        NOT NULL,
    role          text        NOT NULL,
    via           text        NOT NULL,
    action        text        NOT NULL,
    adjustment_id text        NOT NULL REFERENCES registry.adjustments,
    detail        jsonb       NOT NULL,
    prev_hash     text        NOT NULL,
    hash          text        NOT NULL
);
