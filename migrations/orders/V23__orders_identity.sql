-- Columns of what an order is: `identity`, the hash of its strongest name, so that a
-- request makes one order even if its idempotency rows were deleted (NULL: released, or
-- from before); `key_scope`, for whom the client asked; `predecessor_id`, the failed order
-- that this one tries again; `request_mac` and `send_mac`, the seals of the core over what
-- was asked and over how it was sent.
ALTER TABLE orders
  ADD COLUMN identity       CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN key_scope      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN predecessor_id CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN request_mac    VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN send_mac       VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NULL;
