-- A row for 64 numbers of a source, not for each: a reader writes a few rows a commit, whatever the
-- number of events, and little is to be deleted.
CREATE TABLE event_seen_block (
    source  TEXT NOT NULL,    -- the service and the partition, as in order-3
    block   INTEGER NOT NULL, -- of the numbers from 64 times this on
    numbers INTEGER NOT NULL, -- those of them that were taken in, a bit each: the lowest is the first
    PRIMARY KEY (source, block)
) STRICT, WITHOUT ROWID;
INSERT INTO event_seen_block (source, block, numbers)
SELECT source, number / 64, sum(1 << (number % 64)) FROM event_seen GROUP BY source, number / 64;
DROP TABLE event_seen;
