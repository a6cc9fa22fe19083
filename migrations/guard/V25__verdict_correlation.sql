-- The correlation id of the request that the verdict is about, if its transaction names it.
ALTER TABLE verdict
  ADD COLUMN correlation_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL;
