-- What a reader of events keeps, whatever it makes of them. Times are RFC 3339 in UTC with
-- milliseconds.

-- How far the stream of events has been read: one row.
CREATE TABLE event_position (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    stream   TEXT NOT NULL, -- the stream's identity: the time of its creation
    sequence INTEGER NOT NULL,
    at       TEXT NOT NULL  -- that message's own time
) STRICT;

-- The events that were taken in: an event's id is its source and number, as in order-3-17. Far
-- behind a source's last number nothing new comes, so such rows go.
CREATE TABLE event_seen (
    source TEXT NOT NULL, -- the service and the partition, as in order-3
    number INTEGER NOT NULL,
    PRIMARY KEY (source, number)
) STRICT, WITHOUT ROWID;

-- How many pieces of a product the orders of a day took, less those of cancelled ones.
CREATE TABLE sales_daily (
    product_id TEXT NOT NULL,
    day        TEXT NOT NULL, -- on which the orders were placed, in UTC, as in 2026-01-31
    name       TEXT NOT NULL, -- the product's name in the order that came last
    quantity   INTEGER NOT NULL,
    PRIMARY KEY (product_id, day)
) STRICT, WITHOUT ROWID;
-- The best of a day, without looking at the others.
CREATE INDEX sales_daily_best ON sales_daily (day, quantity, product_id);
