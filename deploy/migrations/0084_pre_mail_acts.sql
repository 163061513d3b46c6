-- What people did with mails that came as answers, in their order; nothing is changed or taken out. Only documents writes here.
CREATE TABLE documents.mail_acts (
    mail_id     text        NOT NULL REFERENCES documents.mails,
    number      integer     NOT NULL,                 -- 1, 2, ... within the mail
    at          timestamptz NOT NULL,
    by          text        NOT NULL,                 -- account
    act         text        NOT NULL CHECK (act IN ('joined', 'taken', 'refused')),
    document_id text        REFERENCES documents.documents,
    party       text        NOT NULL DEFAULT '',      -- as whose reply it was taken
    reason      text        NOT NULL DEFAULT '',
    PRIMARY KEY (mail_id, number)
);
