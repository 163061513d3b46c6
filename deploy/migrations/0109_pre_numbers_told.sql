-- Numbers that stand on documents which this database does not have: it was put back to an earlier state, and they had
-- been told of. Whoever asks for such a document again gets it with the number and the time that it had; nobody else does.
CREATE TABLE documents.numbers_told (
    document_id text        PRIMARY KEY,
    issuer      text        NOT NULL,
    mark        text        NOT NULL,
    year        integer     NOT NULL,
    serial      integer     NOT NULL CHECK (serial > 0),
    issued_at   timestamptz NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT now()
);
