-- What an order is for: the payment that a refund or a settlement takes from, the
-- payee's bank, and the route as chosen: JSON with each rejected channel's reason.
-- Found by the ids that upstreams hold.
ALTER TABLE orders
  ADD COLUMN payment_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN bank       VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN route      TEXT        CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  ADD KEY by_transaction (transaction_id),
  ADD KEY by_biz (biz_no);
