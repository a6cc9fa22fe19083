-- The refusal of the last of several sendings, `declined` or `not_here`: an answer about
-- that sending alone. It ends the order once the channel knows of no trade at all.
ALTER TABLE orders ADD COLUMN send_refusal VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NULL;
