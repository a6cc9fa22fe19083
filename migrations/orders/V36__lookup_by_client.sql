-- The keys by which upstreams look their orders up lead on to the client: what another
-- client has under the same number is neither read nor counted.
ALTER TABLE orders
  DROP KEY by_transaction,
  DROP KEY by_biz,
  ADD KEY by_transaction (transaction_id, client, order_id),
  ADD KEY by_biz (biz_no, client, order_id);
