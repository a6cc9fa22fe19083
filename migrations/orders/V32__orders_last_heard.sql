-- When the channel last said clearly that it has the order (or when it was first sent):
-- what its silence is counted from. Waiting to be sent again is left out.
ALTER TABLE orders ADD COLUMN last_heard_us BIGINT NULL;
