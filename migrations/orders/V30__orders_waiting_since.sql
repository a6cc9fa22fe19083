-- When the order last came back to `init`: what "waits to be sent for too long" counts from.
-- NULL: since it was made. Written by nothing but that move, so that no touch resets it.
ALTER TABLE orders ADD COLUMN waiting_since_us BIGINT NULL;
