-- The correlation id of the request that asked for the booking: money that comes in has no
-- order's row to keep it. Nothing is decided by it; NULL in intents of a core that did not know it.
ALTER TABLE booking_intent
  ADD COLUMN correlation_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL;
