-- One row a wallet. A user who never had points has none.
CREATE TABLE wallet (
    id         TEXT NOT NULL PRIMARY KEY, -- the user
    partition  INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    balance    INTEGER NOT NULL CHECK (balance >= 0),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
