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

-- One row an order.
CREATE TABLE orders (
    id          TEXT NOT NULL PRIMARY KEY,
    partition   BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    owing       BOOLEAN NOT NULL, -- whether it still owes somebody a command, or waits for its deadline
    code        TEXT NOT NULL,
    buyer_id    TEXT NOT NULL,
    status      TEXT NOT NULL, -- PENDING, CONFIRMED, FAILED or CANCELLED
    fail_reason TEXT,          -- the code of the refusal that failed it
    fail_detail TEXT,          -- that refusal, as JSON
    cancelling  BOOLEAN NOT NULL,
    attempt     BIGINT NOT NULL, -- counts from 1; a retry is the next
    points      BIGINT,        -- how many points may pay for it at most; null where none
    coupon_id   TEXT,          -- the coupon that is used on it; null where none
    payment     TEXT,          -- how the rest is paid, as JSON; null where it is settled outside
    subtotal    BIGINT,        -- amounts in the currency's minor unit; null while unknown
    discount    BIGINT,
    points_used BIGINT,
    amount_due  BIGINT,
    parts       TEXT,          -- what it asked for besides the lines of this attempt, and where each stands, as JSON
    traceparent TEXT,
    deadline_at TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE UNIQUE INDEX orders_code ON orders (code);
CREATE INDEX orders_owing ON orders (partition, id) WHERE owing;
CREATE INDEX orders_buyer ON orders (buyer_id, id);
CREATE INDEX orders_status ON orders (status, id);

-- One row a line, in the order in which they were asked for.
CREATE TABLE order_line (
    order_id   TEXT NOT NULL,
    line       BIGINT NOT NULL,
    product_id TEXT NOT NULL,
    quantity   BIGINT NOT NULL,
    name       TEXT,   -- name and price as they were when the line was reserved
    unit_price BIGINT,
    hold       TEXT NOT NULL, -- asked, held, refused, releasing or released
    PRIMARY KEY (order_id, line)
);
