-- When the channel first said clearly that it has the order: "no such trade" is believed of it
-- no more. NULL: it never did, or another channel's turn came.
ALTER TABLE orders ADD COLUMN accepted_us BIGINT NULL;
