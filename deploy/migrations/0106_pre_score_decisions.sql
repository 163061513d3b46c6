-- What a second person decides about points that somebody entered (ADR 106). An entry counts once it is approved. Never
-- changed, never deleted; who did it stands in registry.adjustment_audit too.
CREATE TABLE registry.score_decisions (
    entry_id   text        PRIMARY KEY REFERENCES registry.manual_scores,
    state      text        NOT NULL CHECK (state IN ('approved', 'rejected', 'withdrawn')),
    account    text        NOT NULL,
    note       text        NOT NULL,
    decided_at timestamptz NOT NULL
);

-- What was entered before counts as it did: one person was enough then. The note says so.
INSERT INTO registry.score_decisions (entry_id, state, account, note, decided_at)
SELECT entry_id, 'approved', account, 'entered before migration 0106: counted without a second person', recorded_at
FROM registry.manual_scores;
