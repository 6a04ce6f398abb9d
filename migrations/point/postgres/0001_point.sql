-- What the host keeps in every service's database. Times are RFC 3339 in UTC with milliseconds.

-- Everything that was ever done to an entity: audit trail, idempotency record and outbox in one.
CREATE TABLE ledger (
    partition  BIGINT NOT NULL,
    number     BIGINT NOT NULL, -- counts the partition's rows from 1, without gap
    entity     TEXT NOT NULL,
    version    BIGINT NOT NULL, -- the entity's version after it
    origin     TEXT NOT NULL,    -- saga, rest or client: who asked
    request_id TEXT NOT NULL,
    digest     BIGINT,          -- of the command's body; null where the row closes another request's id
    kind       TEXT NOT NULL,
    order_id   TEXT,
    amount     BIGINT,          -- by how much the balance changed
    balance    BIGINT,          -- the balance after it
    body       TEXT NOT NULL,    -- the change, as JSON
    at         TEXT NOT NULL,
    PRIMARY KEY (partition, number)
);
CREATE UNIQUE INDEX ledger_request ON ledger (entity, origin, request_id);
CREATE UNIQUE INDEX ledger_version ON ledger (entity, version);

-- What was made under a caller's idempotency key.
CREATE TABLE request_key (
    call   TEXT NOT NULL, -- such as POST /orders
    key    TEXT NOT NULL,
    digest BIGINT NOT NULL,
    entity TEXT NOT NULL,
    at     TEXT NOT NULL,
    PRIMARY KEY (call, key)
);

-- How far each partition's stream has been read (inbox), and its ledger been told (events).
CREATE TABLE position (
    mark      TEXT NOT NULL,
    partition BIGINT NOT NULL,
    stream    TEXT NOT NULL, -- the stream's identity: the time of its creation
    sequence  BIGINT NOT NULL,
    at        TEXT NOT NULL, -- that message's own time; for events, when it was acknowledged
    number    BIGINT NOT NULL,
    PRIMARY KEY (mark, partition)
);

-- What was fixed when this database was first used.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row a wallet. A user who never had points has none.
CREATE TABLE wallet (
    id         TEXT NOT NULL PRIMARY KEY, -- the user
    partition  BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    balance    BIGINT NOT NULL CHECK (balance >= 0),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
