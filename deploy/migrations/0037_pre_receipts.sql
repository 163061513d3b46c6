-- Who signed for what a case told it (签收), beside who took the case (cases.acknowledged_*).
CREATE TABLE alerts.receipts (
    case_id   text        NOT NULL REFERENCES alerts.cases,
    body_code text        NOT NULL,
    step      text        NOT NULL,    -- the last step taken by then; '' before the first
    at        timestamptz NOT NULL,
    by        text        NOT NULL,    -- account
    via       text        NOT NULL,
    note      text        NOT NULL,
    PRIMARY KEY (case_id, body_code, step)
);

-- Fires that ended and that nobody took: few, and asked for at each look at the page.
CREATE INDEX fires_untaken ON alerts.cases (closed_at DESC)
    WHERE state = 'closed' AND kind = 'fire' AND acknowledged_at IS NULL;
