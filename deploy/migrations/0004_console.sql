-- Console: who may sign in. Only console writes here.
CREATE SCHEMA console;

CREATE TABLE console.accounts (
    username      text        PRIMARY KEY,
    role          text        NOT NULL CHECK (role IN ('brigade', 'centre', 'department')),
    department    text,                                  -- code; a department's account sees this slice only
    display_name  text        NOT NULL,
    password_hash text        NOT NULL,                  -- argon2id
    disabled      boolean     NOT NULL DEFAULT false,
    failed_logins integer     NOT NULL DEFAULT 0,
    locked_until  timestamptz,
    created_at    timestamptz NOT NULL,
    CHECK ((role = 'department') = (department IS NOT NULL))
);

CREATE TABLE console.sessions (
    token_hash text        PRIMARY KEY,                  -- sha256 of the cookie: a stolen table signs nobody in
    username   text        NOT NULL REFERENCES console.accounts,
    csrf       text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_account ON console.sessions (username);
