-- What becomes of a document after its issue: who it went to, who signed, what was answered. Only documents writes here.
ALTER TABLE documents.documents
    ADD COLUMN receipt_due_at timestamptz,
    ADD COLUMN reply_due_at   timestamptz,
    ADD COLUMN closed_because text;                   -- the decision that closed it

CREATE TABLE documents.recipients (
    document_id  text        NOT NULL REFERENCES documents.documents,
    contact_id   text        NOT NULL,
    party        text        NOT NULL,                -- a body's code, or the part that the contact has in the unit
    is_addressee boolean     NOT NULL,
    revoked_at   timestamptz,                         -- since then the link of this contact opens nothing
    revoked_by   text,
    PRIMARY KEY (document_id, contact_id)
);
CREATE INDEX recipients_by_party ON documents.recipients (party, document_id);

CREATE TABLE documents.receipts (
    document_id text        NOT NULL REFERENCES documents.documents,
    party       text        NOT NULL,
    at          timestamptz NOT NULL,
    name        text        NOT NULL,                 -- of the person who signed
    by          text        NOT NULL,                 -- the account, or the contact whose link it was
    via         text        NOT NULL,
    PRIMARY KEY (document_id, party)
);

CREATE TABLE documents.submissions (
    submission_id text        PRIMARY KEY,
    document_id   text        NOT NULL REFERENCES documents.documents,
    kind          text        NOT NULL CHECK (kind IN ('reply', 'appeal')),
    state         text        NOT NULL CHECK (state IN ('submitted', 'accepted', 'returned', 'upheld', 'dismissed')),
    party         text        NOT NULL,
    text          text        NOT NULL,
    measures      text        NOT NULL DEFAULT '',
    done_by       date,
    name          text        NOT NULL,
    by            text        NOT NULL,
    via           text        NOT NULL,
    at            timestamptz NOT NULL,
    decided_at    timestamptz,
    decided_by    text,
    reasons       text        NOT NULL DEFAULT '',
    CHECK ((kind = 'reply' AND state IN ('submitted', 'accepted', 'returned'))
           OR (kind = 'appeal' AND state IN ('submitted', 'upheld', 'dismissed'))),
    CHECK ((state = 'submitted') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX one_undecided_submission ON documents.submissions (document_id, kind) WHERE state = 'submitted';
CREATE INDEX submissions_of_document ON documents.submissions (document_id, at);

-- By content: the same file is kept once, and its name says whether it is still what was handed in.
CREATE TABLE documents.files (
    sha256     text        PRIMARY KEY,
    media_type text        NOT NULL,                  -- as its content says
    bytes      bytea       NOT NULL,
    added_at   timestamptz NOT NULL
);
CREATE TABLE documents.attachments (
    submission_id text    NOT NULL REFERENCES documents.submissions,
    place         integer NOT NULL,
    sha256        text    NOT NULL REFERENCES documents.files,
    name          text    NOT NULL,
    size          integer NOT NULL,
    PRIMARY KEY (submission_id, place)
);

-- What is still to be told on firenet.documents.v1.
CREATE TABLE documents.changes (
    change_id   text        PRIMARY KEY,
    document_id text        NOT NULL REFERENCES documents.documents,
    key         text        NOT NULL,                 -- of the record: the unit
    at          timestamptz NOT NULL,
    event       jsonb       NOT NULL,
    published   boolean     NOT NULL DEFAULT false
);
CREATE INDEX changes_unpublished ON documents.changes (at, change_id) WHERE NOT published;
CREATE INDEX documents_newest ON documents.documents (issued_at DESC, document_id);
