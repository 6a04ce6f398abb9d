-- One row a product.
CREATE TABLE product (
    id         TEXT NOT NULL PRIMARY KEY,
    partition  BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    name       TEXT NOT NULL,
    price      BIGINT NOT NULL, -- in the currency's minor unit
    stock      BIGINT NOT NULL CHECK (stock >= 0),
    status     TEXT NOT NULL, -- ACTIVE or DISCONTINUED
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
-- The pages of the catalogue, newest first: ids are UUIDs of version 7.
CREATE INDEX product_status ON product (status, id);
