-- What people do with a case beside taking it (cases.acknowledged_*) and signing (receipts). Only alerts writes here.

-- Who works on a case. A row that has run out, or whose case is closed, owns nothing; the audit chain keeps who did when.
CREATE TABLE alerts.owners (
    case_id text        PRIMARY KEY REFERENCES alerts.cases,
    account text        NOT NULL,
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL      -- free again from then on, whatever became of the owner
);
CREATE INDEX owners_by_account ON alerts.owners (account);

CREATE TABLE alerts.comments (
    case_id   text        NOT NULL REFERENCES alerts.cases,
    number    integer     NOT NULL,   -- 1, 2, ... within the case
    at        timestamptz NOT NULL,
    by        text        NOT NULL,   -- account
    body_code text        NOT NULL,   -- '' of brigade and centre
    text      text        NOT NULL,
    PRIMARY KEY (case_id, number)
);

-- Whether an alarm was one (真警, 误报), as somebody found. The last one holds; the ones before stay.
CREATE TABLE alerts.verifications (
    case_id text        NOT NULL REFERENCES alerts.cases,
    number  integer     NOT NULL,
    at      timestamptz NOT NULL,
    by      text        NOT NULL,
    finding text        NOT NULL CHECK (finding IN ('true_alarm', 'false_alarm')),
    note    text        NOT NULL,
    PRIMARY KEY (case_id, number)
);

-- Pages of open cases in the order of their opening are read from here; any other order sorts what is open.
CREATE INDEX cases_open ON alerts.cases (opened_at, case_id) WHERE state = 'open';
