-- Registry: effective-dated entities. A body is validated by schemas/registry.py before it gets here.
CREATE SCHEMA registry;

CREATE TABLE registry.versions (
    kind        text        NOT NULL CHECK (kind IN ('unit', 'gateway', 'contact', 'department', 'pack')),
    id          text        NOT NULL,
    valid_from  date        NOT NULL,
    recorded_at timestamptz NOT NULL,
    body        jsonb       NOT NULL,
    import_id   bigint,
    PRIMARY KEY (kind, id, valid_from, recorded_at)
);

CREATE TABLE registry.imports (
    import_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_name   text        NOT NULL,
    sha256      text        NOT NULL,
    kind        text        NOT NULL,
    rows        integer     NOT NULL,
    changed     integer     NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text        NOT NULL
);

-- Entities whose record on firenet.registry.v1 is older than their versions; emptied by publishing.
CREATE TABLE registry.unpublished (
    kind text NOT NULL,
    id   text NOT NULL,
    PRIMARY KEY (kind, id)
);

-- The version in force today (Asia/Shanghai), the latest knowledge of it.
CREATE VIEW registry.in_force AS
SELECT DISTINCT ON (kind, id) kind, id, valid_from, recorded_at, body
FROM registry.versions
WHERE valid_from <= (now() AT TIME ZONE 'Asia/Shanghai')::date
ORDER BY kind, id, valid_from DESC, recorded_at DESC;
