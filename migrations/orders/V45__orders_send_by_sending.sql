-- The sending, counted as in `sends`, that `send_by_us` is of. Another number: the last claim
-- was made by a build that knows neither column, and what is left of an earlier claim says
-- nothing of its request.
ALTER TABLE orders ADD COLUMN send_by_sending SMALLINT NULL;
