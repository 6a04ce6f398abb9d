-- An order has few rows, and ledger_request, which begins with the entity, finds them all. That no
-- version comes twice is seen to by orders.version, which every commit compares: an index more
-- would be written for each row, and found by nobody.
DROP INDEX ledger_version;
