-- One row a campaign.
CREATE TABLE coupon (
    id               TEXT NOT NULL PRIMARY KEY,
    partition        BIGINT NOT NULL,
    version          BIGINT NOT NULL,
    name             TEXT NOT NULL,
    discount_kind    TEXT NOT NULL,   -- FIXED or PERCENT
    discount_value   BIGINT NOT NULL, -- an amount, or percent
    discount_maximum BIGINT,          -- what is taken off at most
    minimum_amount   BIGINT NOT NULL, -- what an order must cost at least
    quantity         BIGINT NOT NULL,
    issued           BIGINT NOT NULL CHECK (issued BETWEEN 0 AND quantity),
    valid_from       TEXT,            -- its coupons can be used from then on
    valid_until      TEXT,            -- up to then, that moment excluded
    created_at       TEXT NOT NULL
);

-- One row a coupon that was issued.
CREATE TABLE coupon_issue (
    coupon_id TEXT NOT NULL,
    number    BIGINT NOT NULL CHECK (number > 0), -- counts from 1 in the order of arrival
    user_id   TEXT NOT NULL,
    issued_at TEXT NOT NULL,
    order_id  TEXT, -- the order that uses it; null where none does
    used_at   TEXT,
    PRIMARY KEY (coupon_id, number)
);
-- A user has one of a campaign; and the coupons of one user, newest campaign first.
CREATE UNIQUE INDEX coupon_issue_user ON coupon_issue (user_id, coupon_id);
