-- Documents as files, drafts that their issuer numbers, and the files that alerts sends with a notice.
ALTER TABLE documents.documents
    ALTER COLUMN mark DROP NOT NULL,
    ALTER COLUMN year DROP NOT NULL,
    ALTER COLUMN serial DROP NOT NULL,
    ADD COLUMN own_number  text,                   -- 文号 that the issuer of a draft gave it
    ADD COLUMN numbered_by text,                   -- who entered that, and when
    ADD COLUMN numbered_at timestamptz,
    ADD COLUMN files_due   boolean NOT NULL DEFAULT false;  -- there was no time for them: they are made afterwards
CREATE INDEX documents_without_files ON documents.documents (issued_at) WHERE files_due;

ALTER TABLE documents.renditions ADD COLUMN covering text NOT NULL DEFAULT '';  -- before the text of a copy (抄送)

CREATE TABLE documents.rendition_files (
    document_id text  NOT NULL REFERENCES documents.documents,
    language    text  NOT NULL,
    kind        text  NOT NULL CHECK (kind IN ('pdf', 'docx')),
    content     bytea NOT NULL,
    sha256      text  NOT NULL,
    PRIMARY KEY (document_id, language, kind)
);

CREATE TABLE alerts.document_files (
    request_id text  NOT NULL REFERENCES alerts.requests,
    language   text  NOT NULL,
    kind       text  NOT NULL CHECK (kind IN ('pdf', 'docx')),
    content    bytea NOT NULL,
    PRIMARY KEY (request_id, language, kind)
);

-- Its recipient has a copy of the document (抄送), the addressee has it (主送).
ALTER TABLE alerts.notices ADD COLUMN is_copy boolean;
