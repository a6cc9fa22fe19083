-- The correlation id of the first request, for logs, events and headers. Nothing is decided
-- by it; NULL in orders of a core that did not know it.
ALTER TABLE orders
  ADD COLUMN correlation_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL;
