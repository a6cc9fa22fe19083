//! The tables of the core, and the reads that may look across accounts.

/// Tables of the money path: sharded by account, which leads their keys.
pub(super) const TABLES_BY_ACCOUNT: [&str; 12] = [
    "orders",
    "attempt",
    "order_transition",
    "balance",
    "capture",
    "entry",
    "daily_balance",
    "outbox",
    "outbox_archive",
    "cases",
    "booking_intent",
    "booking_result",
];

/// Tables that are unique by something else, or are no money's: what leads their
/// primary key, and how they are kept.
pub(super) const OTHER_TABLES: [(&str, &str, &str); 20] = [
    (
        "idempotency",
        "client",
        "sharded by client and key; claimed just before the order's transaction",
    ),
    (
        "request_nonce",
        "client",
        "sharded by client and nonce; no transaction with money",
    ),
    ("expected_store", "service", "a row per service; replicated"),
    ("retention_cursor", "name", "a row per task and shard"),
    (
        "quarantined_payment",
        "digest",
        "payments before they are booked, by their digests; unsharded",
    ),
    ("store_identity", "name", "one row; replicated"),
    (
        "breaker",
        "point",
        "a short list that every shard reads; replicated",
    ),
    ("breaker_transition", "point", "beside breaker"),
    ("breaker_seal", "name", "one row beside breaker; replicated"),
    (
        "guard_seal",
        "name",
        "one row beside breaker_seal; replicated",
    ),
    (
        "verdict",
        "verdict_id",
        "sharded by its id; no transaction with money",
    ),
    (
        "checkpoint",
        "source",
        "a row per change stream, on that shard",
    ),
    ("fence_token", "instance", "a row per core and shard"),
    ("lease", "name", "a row per kind of work; unsharded"),
    (
        "suppression",
        "suppression_id",
        "a short list, beside the verdicts",
    ),
    (
        "audit_run",
        "run_id",
        "a row per run over the data at rest, on the shard that it read",
    ),
    (
        "audit_finding",
        "finding_id",
        "as small as what is wrong, on the shard that it is of",
    ),
    ("gap", "source", "beside checkpoint"),
    (
        "timed_change",
        "kind",
        "what is out of the ordinary, beside breaker and the rule sets",
    ),
    (
        "dead_letter",
        "topic",
        "beside checkpoint; the newest few thousand",
    ),
];

/// Families of tables that are kept alike.
pub(super) const TABLE_FAMILIES: [(&str, &str); 3] = [
    ("route_", "routing's configuration: small, replicated"),
    ("limit_", "sharded by the limit's own key"),
    (
        "rule_",
        "the rule sets: small, replicated, no transaction with money",
    ),
];

/// Reads of money tables without an account, by file and function: each asks all
/// shards, or one by the bucket in an order's id. None of them locks or writes.
pub(super) const UNSHARDED_READS: [(&str, &str, &str); 21] = [
    (
        "core/src/cases/repo.rs",
        "count_open",
        "a metric, per shard",
    ),
    (
        "core/src/lookup/repo.rs",
        "first",
        "an upstream's search by its own id: every shard is asked once",
    ),
    (
        "core/src/orders/repo.rs",
        "find",
        "by order id, which carries its account's bucket: one shard",
    ),
    (
        "core/src/orders/repo.rs",
        "due_to_send",
        "polling, per shard by its own core",
    ),
    (
        "core/src/orders/outbox_repo.rs",
        "outbox_page",
        "the relay, per shard",
    ),
    (
        "core/src/orders/outbox_repo.rs",
        "outbox_backlog",
        "a metric, per shard",
    ),
    (
        "core/src/orders/repo.rs",
        "unfinished",
        "a metric, per shard",
    ),
    (
        "core/src/lookup/repo.rs",
        "load",
        "a person's search: by order ids, which carry their accounts' buckets",
    ),
    (
        "core/src/lookup/repo.rs",
        "of_client",
        "a caller's own list: every shard's page is merged",
    ),
    (
        "core/src/lookup/repo.rs",
        "unfinished",
        "a person's list, per shard",
    ),
    (
        "core/src/lookup/repo.rs",
        "unacknowledged",
        "a person's list, per shard",
    ),
    (
        "core/src/lookup/timeline_repo.rs",
        "oldest_unpublished",
        "a person's look, per shard",
    ),
    (
        "core/src/recovery/repo.rs",
        "channels",
        "polling, per shard",
    ),
    ("core/src/recovery/repo.rs", "waiting", "polling, per shard"),
    (
        "core/src/recovery/repo.rs",
        "ack_overdue",
        "a metric, per shard",
    ),
    (
        "core/src/routing/repo.rs",
        "unrouted",
        "a metric, per shard",
    ),
    (
        "core/src/intents/repo.rs",
        "lease",
        "polling, per shard; what it takes is locked by account",
    ),
    ("core/src/intents/repo.rs", "open", "a metric, per shard"),
    (
        "core/src/retention/repo.rs",
        "purge_archive",
        "retention, per shard; what it finds is deleted by account",
    ),
    (
        "core/src/retention/repo.rs",
        "purge_cases",
        "retention, per shard; what it finds is deleted by account",
    ),
    (
        "core/src/retention/repo.rs",
        "orders_page",
        "retention, per shard; what it finds is deleted by account",
    ),
];
