-- The requests of orders grow with time and wallets do not: with the request first, new ones stand
-- one behind another, in the same few pages, however many wallets they are for.
DROP INDEX ledger_request;
CREATE UNIQUE INDEX ledger_request ON ledger (request_id, entity, origin);
