-- Documents: what was issued, its numbers and texts. Only documents writes here; console reads.
CREATE SCHEMA documents;

-- The last number of each series; a row is locked while a document of it is written.
CREATE TABLE documents.series (
    issuer text    NOT NULL,               -- body code
    mark   text    NOT NULL,               -- the issuer's code (机关代字) with the word of the kind of document
    year   integer NOT NULL,               -- of China's calendar
    last   integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (issuer, mark, year)
);

CREATE TABLE documents.documents (
    document_id  text        PRIMARY KEY,  -- derived from source and request_id
    source       text        NOT NULL,
    request_id   text        NOT NULL,
    case_id      text        NOT NULL,
    instrument   text        NOT NULL,
    unit_id      text        NOT NULL,
    issuer       text        NOT NULL,
    mark         text        NOT NULL,
    year         integer     NOT NULL,
    serial       integer     NOT NULL CHECK (serial > 0),
    template     text        NOT NULL,     -- name@version
    state        text        NOT NULL CHECK (state IN ('draft', 'issued', 'received', 'replied', 'closed')),
    requested_at timestamptz NOT NULL,
    issued_at    timestamptz NOT NULL,
    request      jsonb       NOT NULL,     -- as it came: the facts, with clause, pack and evidence
    published    boolean     NOT NULL DEFAULT false,  -- on firenet.documents.v1
    UNIQUE (source, request_id),
    UNIQUE (issuer, mark, year, serial)
);
CREATE INDEX documents_unpublished ON documents.documents (issued_at, document_id) WHERE NOT published;
CREATE INDEX documents_of_case ON documents.documents (case_id);

CREATE TABLE documents.renditions (
    document_id text NOT NULL REFERENCES documents.documents,
    language    text NOT NULL,
    title       text NOT NULL,
    text        text NOT NULL,
    html        text NOT NULL,
    PRIMARY KEY (document_id, language)
);

CREATE TABLE documents.partitions (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL DEFAULT 0,
    owner       text    NOT NULL DEFAULT '',
    owner_epoch bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
);
