-- Who may connect to the MQTT broker. A password is kept as a salted hash and only while it holds; a private key never is.
CREATE TABLE registry.passwords (
    gateway_id text        NOT NULL,
    issued_at  timestamptz NOT NULL,
    hash       text CHECK (hash LIKE '$7$%'),
    revoked_at timestamptz,
    PRIMARY KEY (gateway_id, issued_at),
    CHECK ((hash IS NULL) = (revoked_at IS NOT NULL))
);
CREATE UNIQUE INDEX passwords_one_holds ON registry.passwords (gateway_id) WHERE revoked_at IS NULL;

CREATE TABLE registry.certificates (
    serial     text        PRIMARY KEY CHECK (serial ~ '^[0-9a-f]{1,40}$'),
    gateway_id text        NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX certificates_gateway ON registry.certificates (gateway_id);
