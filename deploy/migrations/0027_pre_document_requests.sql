-- Alerts asks for documents instead of writing them: the request stands beside its notices, which wait for it a while.
CREATE TABLE alerts.requests (
    request_id text        PRIMARY KEY,
    case_id    text        NOT NULL REFERENCES alerts.cases,
    key        text        NOT NULL,               -- of the record: the unit
    event      jsonb       NOT NULL,               -- the facts, as they go on firenet.requests.v1
    created_at timestamptz NOT NULL,
    -- waiting until it is published; withdrawn when all of its notices were taken back before that
    state      text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'published', 'withdrawn', 'issued')),
    number     text,                               -- 文号, once it is issued
    document_id text,
    issued_at  timestamptz
);
CREATE INDEX requests_waiting ON alerts.requests (created_at) WHERE state = 'waiting';

ALTER TABLE alerts.notices
    ADD COLUMN request_id      text,               -- the document that it brings, once that is there
    ADD COLUMN document_number text,               -- 文号 of the document in it
    ADD COLUMN html            text;               -- the same letter as a page, for mail
CREATE INDEX notices_of_request ON alerts.notices (request_id) WHERE request_id IS NOT NULL;

-- The component that opened a case of a fault, for the letters of its later steps.
ALTER TABLE alerts.cases ADD COLUMN place jsonb;
