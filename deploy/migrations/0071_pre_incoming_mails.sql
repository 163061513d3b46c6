-- Mails to the address for answers: kept as they were understood, joined to a document, taken by a person. Only documents writes here.
CREATE TABLE documents.mailboxes (
    mailbox      text   PRIMARY KEY,                  -- user@host/folder
    uid_validity bigint NOT NULL,
    last_uid     bigint NOT NULL                      -- up to here all mails are in documents.mails
);

CREATE TABLE documents.mails (
    mail_id       text        PRIMARY KEY,            -- the hash of the mail as it came: the same one twice is one
    sort          text        NOT NULL CHECK (sort IN ('reply', 'unknown', 'automatic', 'bounce', 'refused')),
    state         text        NOT NULL CHECK (state IN ('waiting', 'aside', 'taken')),
    document_id   text        REFERENCES documents.documents,
    reason        text        NOT NULL DEFAULT '',    -- why it is of this sort, and what of it was left out
    message_id    text        NOT NULL,
    sender        text        NOT NULL,               -- as the mail says, which proves nothing
    sender_name   text        NOT NULL,
    subject       text        NOT NULL,
    text          text        NOT NULL,
    size          integer     NOT NULL,
    at            timestamptz NOT NULL,               -- when we took it in
    decided_at    timestamptz,
    decided_by    text,
    CHECK (sort <> 'reply' OR document_id IS NOT NULL),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CHECK (state <> 'taken' OR decided_by IS NOT NULL)
);
CREATE INDEX mails_newest ON documents.mails (at DESC, mail_id);

CREATE TABLE documents.mail_files (
    mail_id text    NOT NULL REFERENCES documents.mails,
    place   integer NOT NULL,
    sha256  text    NOT NULL REFERENCES documents.files,
    name    text    NOT NULL,
    size    integer NOT NULL,
    PRIMARY KEY (mail_id, place)
);
