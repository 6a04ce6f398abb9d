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

-- One row an order that was to be paid: the columns tell of its last attempt.
CREATE TABLE payment (
    id         TEXT NOT NULL PRIMARY KEY, -- the order's id
    partition  BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    owing      BOOLEAN NOT NULL, -- whether the gateway is still to be asked
    user_id    TEXT,
    amount     BIGINT,          -- in the currency's minor unit
    status     TEXT,             -- PENDING, AUTHORISED, CANCELLED or DECLINED
    gateway    TEXT,
    gateway_id TEXT,             -- the gateway's id of the payment
    work       TEXT NOT NULL,    -- every attempt, and what is to be given back, as JSON
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
-- What is still to be done, for recovery.
CREATE INDEX payment_owing ON payment (partition, id) WHERE owing;

-- What the sandbox has charged: the books of the other side, which the audit compares with ours.
CREATE TABLE sandbox_charge (
    gateway_id   TEXT NOT NULL PRIMARY KEY,
    merchant_uid TEXT NOT NULL,
    by_card      BOOLEAN NOT NULL, -- by us; otherwise the customer paid by himself
    amount       BIGINT NOT NULL,
    status       TEXT NOT NULL, -- PAID, DECLINED or CANCELLED
    due_at       TEXT NOT NULL, -- from when on the sandbox knows of it
    created_at   TEXT NOT NULL
);
-- A card is charged once under a merchant uid, however often that is asked for.
CREATE UNIQUE INDEX sandbox_charge_once ON sandbox_charge (merchant_uid) WHERE by_card;
CREATE INDEX sandbox_charge_merchant ON sandbox_charge (merchant_uid);
