-- Administrators of accounts, one-time passwords, and who did what to accounts.
-- Whoever makes accounts must be nobody who approves: that is the brigade.
ALTER TABLE console.accounts ADD COLUMN administers boolean NOT NULL DEFAULT false
    CONSTRAINT accounts_administers_check CHECK (NOT administers OR role = 'centre');
ALTER TABLE console.accounts ADD COLUMN one_time_until timestamptz;      -- somebody else drew the password: to be changed by then

-- In a chain that no entry can be taken out of.
CREATE TABLE console.account_audit (
    seq       bigint      PRIMARY KEY,
    at        timestamptz NOT NULL,
    account   text        NOT NULL,
    action    text        NOT NULL,
    about     text        NOT NULL,
    detail    jsonb       NOT NULL,
    prev_hash text        NOT NULL,
    hash      text        NOT NULL
);
