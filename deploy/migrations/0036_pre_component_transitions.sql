-- History of components: each beginning and each end of a trouble at one of them (ADR 36). Apart from rules.transitions,
-- whose readers want the few rows of a unit. Of one component and kind they alternate in the order of evidence_offset.
CREATE TABLE rules.component_transitions (
    transition_id      text        NOT NULL,
    unit_id            text        NOT NULL,
    kind               text        NOT NULL CHECK (kind IN ('fire', 'fault', 'isolation')),
    system             text        NOT NULL,            -- '' where its gateway names none
    address            text        NOT NULL,            -- '' is the unit as a whole
    open               boolean     NOT NULL,            -- the trouble began; false: it ended
    effective_at       timestamptz NOT NULL,
    detected_at        timestamptz NOT NULL,
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    cause              text        NOT NULL,
    evidence_topic     text        NOT NULL,
    evidence_partition integer     NOT NULL,
    evidence_offset    bigint      NOT NULL,
    PRIMARY KEY (transition_id, effective_at)
);
CREATE INDEX component_transitions_by_component
    ON rules.component_transitions (unit_id, system, address, effective_at);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('rules.component_transitions', by_range('effective_at', INTERVAL '30 days'));
    END IF;
END $$;
