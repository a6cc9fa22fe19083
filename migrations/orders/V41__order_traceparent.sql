-- The W3C traceparent under which whatever happens to the order is traced, by any instance
-- and after any crash. NULL unless traces are on and the first request is sampled.
ALTER TABLE orders
  ADD COLUMN traceparent CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NULL;
