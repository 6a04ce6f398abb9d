-- One row a wallet. A user who never had points has none.
CREATE TABLE wallet (
    id         TEXT NOT NULL PRIMARY KEY, -- the user
    partition  BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    balance    BIGINT NOT NULL CHECK (balance >= 0),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
