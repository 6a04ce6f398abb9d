-- One row a product.
CREATE TABLE product (
    id         TEXT NOT NULL PRIMARY KEY,
    partition  INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    name       TEXT NOT NULL,
    price      INTEGER NOT NULL, -- in the currency's minor unit
    stock      INTEGER NOT NULL CHECK (stock >= 0),
    status     TEXT NOT NULL, -- ACTIVE or DISCONTINUED
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- The pages of the catalogue, newest first: ids are UUIDs of version 7.
CREATE INDEX product_status ON product (status, id);
