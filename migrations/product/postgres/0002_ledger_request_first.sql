-- The requests of orders grow with time and products do not: with the request first, new ones stand
-- one behind another, in the same few pages, however many products they are for.
DROP INDEX ledger_request;
CREATE UNIQUE INDEX ledger_request ON ledger (request_id, entity, origin);
