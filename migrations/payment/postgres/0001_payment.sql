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
