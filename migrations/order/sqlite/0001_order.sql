-- One row an order.
CREATE TABLE orders (
    id          TEXT NOT NULL PRIMARY KEY,
    partition   INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    owing       INTEGER NOT NULL, -- whether it still owes somebody a command, or waits for its deadline
    code        TEXT NOT NULL,
    buyer_id    TEXT NOT NULL,
    status      TEXT NOT NULL, -- PENDING, CONFIRMED, FAILED or CANCELLED
    fail_reason TEXT,          -- the code of the refusal that failed it
    fail_detail TEXT,          -- that refusal, as JSON
    cancelling  INTEGER NOT NULL,
    attempt     INTEGER NOT NULL, -- counts from 1; a retry is the next
    points      INTEGER,       -- how many points may pay for it at most; null where none
    coupon_id   TEXT,          -- the coupon that is used on it; null where none
    payment     TEXT,          -- how the rest is paid, as JSON; null where it is settled outside
    subtotal    INTEGER,        -- amounts in the currency's minor unit; null while unknown
    discount    INTEGER,
    points_used INTEGER,
    amount_due  INTEGER,
    parts       TEXT,          -- what it asked for besides the lines of this attempt, and where each stands, as JSON
    traceparent TEXT,
    deadline_at TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX orders_code ON orders (code);
CREATE INDEX orders_owing ON orders (partition, id) WHERE owing;
CREATE INDEX orders_buyer ON orders (buyer_id, id);
CREATE INDEX orders_status ON orders (status, id);

-- One row a line, in the order in which they were asked for.
CREATE TABLE order_line (
    order_id   TEXT NOT NULL,
    line       INTEGER NOT NULL,
    product_id TEXT NOT NULL,
    quantity   INTEGER NOT NULL,
    name       TEXT,   -- name and price as they were when the line was reserved
    unit_price INTEGER,
    hold       TEXT NOT NULL, -- asked, held, refused, releasing or released
    PRIMARY KEY (order_id, line)
) STRICT, WITHOUT ROWID;
