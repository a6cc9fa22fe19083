-- The W3C traceparent of the same request. NULL unless traces are on and it is sampled.
ALTER TABLE booking_intent
  ADD COLUMN traceparent CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NULL;
