-- The requests of orders grow with time and campaigns do not: with the request first, new ones stand
-- one behind another, and the last of all is found at once.
DROP INDEX ledger_request;
CREATE UNIQUE INDEX ledger_request ON ledger (request_id, entity, origin);
