-- The core's seal over account, posting, order and outcome: a result that somebody else wrote,
-- or took to another row, is no answer. NULL: from before.
ALTER TABLE booking_result ADD COLUMN mac VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NULL;
