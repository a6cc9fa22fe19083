-- Until when the last claim may put its request onto the wire: past it nothing is sent. A
-- channel's "no such trade" is believed once its quiet time has passed since then.
ALTER TABLE orders ADD COLUMN send_by_us BIGINT NULL;
