//! MACs of the guard's own rows: whoever obeys one of them, and whoever sees it change,
//! can tell whether a program wrote it. Every signed column is listed here once.

use crate::keys::SigningKeys;
use crate::provenance::{EffectField, TransactionEffects};
use crate::settings::Secret;

/// Column that holds a row's MAC.
pub const MAC_COLUMN: &str = "mac";
/// Stands where a transaction's id would: no transaction of the core has such a one, so that
/// no signature of the outbox is a row's MAC.
const SUBJECT: &str = "guard-row/1";
const COPY_SUBJECT: &str = "checkpoint-copy/1";

/// A table whose rows are signed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedGuardTable {
    pub name: &'static str,
    /// In the order in which they are signed. NULL is signed as an empty text, an amount in
    /// units of 10⁻⁴.
    pub columns: &'static [&'static str],
    /// Column that no genuine change ever lowers, and that a genuine one raises if `raises`.
    pub version: &'static str,
    pub raises: bool,
}

/// Every table whose rows are signed.
pub const SIGNED_GUARD_TABLES: [SignedGuardTable; 13] = [
    SignedGuardTable {
        name: "breaker",
        columns: &[
            "point",
            "scope",
            "scope_key",
            "version",
            "state",
            "verdict_id",
            "reason",
            "changed_by",
            "updated_us",
        ],
        version: "version",
        raises: true,
    },
    SignedGuardTable {
        name: "breaker_transition",
        columns: &[
            "point",
            "scope",
            "scope_key",
            "version",
            "state",
            "verdict_id",
            "reason",
            "changed_by",
            "changed_us",
        ],
        version: "version",
        raises: true,
    },
    SignedGuardTable {
        name: "suppression",
        columns: &[
            "suppression_id",
            "rule",
            "finding_key",
            "reason",
            "author",
            "amount_cap",
            "amount_used",
            "hits",
            "created_us",
            "expires_us",
            "revoked_us",
            "revoked_by",
        ],
        version: "hits",
        raises: false,
    },
    SignedGuardTable {
        name: "rule_set",
        columns: &[
            "version",
            "hash",
            "content_of",
            "created_by",
            "reason",
            "created_us",
        ],
        version: "version",
        raises: false,
    },
    SignedGuardTable {
        name: "rule_member",
        columns: &[
            "version",
            "rule",
            "candidate",
            "text_hash",
            "mode",
            "demoted",
            "since_us",
        ],
        version: "version",
        raises: false,
    },
    SignedGuardTable {
        name: "rule_active",
        columns: &["name", "version", "updated_us"],
        version: "version",
        raises: true,
    },
    SignedGuardTable {
        name: "checkpoint",
        columns: &[
            "source",
            "position",
            "replay_from",
            "rules_hash",
            "updated_us",
        ],
        version: "",
        raises: false,
    },
    SignedGuardTable {
        name: "lease",
        columns: &["name", "owner", "epoch", "expires_us"],
        version: "epoch",
        raises: false,
    },
    SignedGuardTable {
        name: "fence_token",
        columns: &["instance", "token", "updated_us"],
        version: "",
        raises: false,
    },
    SignedGuardTable {
        name: "guard_seal",
        columns: &[
            "name",
            "version",
            "position",
            "unsigned_month",
            "sealed_by",
            "sealed_us",
        ],
        version: "version",
        raises: true,
    },
    SignedGuardTable {
        name: "limit_total",
        columns: &[
            "scope",
            "scope_key",
            "currency",
            "period",
            "amount",
            "version",
        ],
        version: "version",
        raises: true,
    },
    SignedGuardTable {
        name: "route_active",
        columns: &["name", "version", "epoch", "updated_us"],
        version: "epoch",
        raises: true,
    },
    SignedGuardTable {
        name: "route_activation",
        columns: &[
            "epoch",
            "version",
            "previous",
            "author",
            "reason",
            "activated_us",
        ],
        version: "epoch",
        raises: false,
    },
];

/// The signed table of this name.
pub fn signed_guard_table(name: &str) -> Option<&'static SignedGuardTable> {
    SIGNED_GUARD_TABLES.iter().find(|table| table.name == name)
}

/// Signs a row; `fields` in the order of the table's `columns`. Hex, 64 characters.
pub fn guard_mac(key: &Secret, table: &str, fields: &[EffectField<'_>]) -> String {
    row(table, fields).sign(key, SUBJECT, "")
}

/// Whether `mac` was made with one of `keys` over exactly this row; constant time.
pub fn is_guard_row(
    keys: &SigningKeys,
    table: &str,
    fields: &[EffectField<'_>],
    mac: &str,
) -> bool {
    let row = row(table, fields);
    keys.any(|key| row.verify(key, SUBJECT.as_bytes(), b"", mac.as_bytes()))
}

/// Signs a copy of a checkpoint that lies beside the database: for each source its name, its
/// position, and from where it is read again.
pub fn copy_mac(key: &Secret, epoch: i64, sources: &[[&str; 3]]) -> String {
    copy(epoch, sources).sign(key, COPY_SUBJECT, "")
}

/// Whether a sidecar wrote exactly this copy; constant time.
pub fn is_copy(keys: &SigningKeys, epoch: i64, sources: &[[&str; 3]], mac: &str) -> bool {
    let copy = copy(epoch, sources);
    keys.any(|key| copy.verify(key, COPY_SUBJECT.as_bytes(), b"", mac.as_bytes()))
}

fn copy(epoch: i64, sources: &[[&str; 3]]) -> TransactionEffects {
    let mut copy = TransactionEffects::new();
    for texts in sources {
        let [source, position, replay] = texts.map(|text| EffectField::Text(text.as_bytes()));
        let epoch = EffectField::Int(epoch.into());
        copy.add("copy", &[source, position, replay, epoch]);
    }
    copy
}

/// The field of a text that may be NULL.
pub fn optional_text(text: Option<&str>) -> EffectField<'_> {
    EffectField::Text(text.unwrap_or_default().as_bytes())
}

fn row(table: &str, fields: &[EffectField<'_>]) -> TransactionEffects {
    debug_assert_eq!(
        signed_guard_table(table).map(|table| table.columns.len()),
        Some(fields.len()),
        "{table}"
    );
    let mut row = TransactionEffects::new();
    row.add(table, fields);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::EffectField::{Int, Text};

    #[test]
    fn a_mac_covers_table_and_every_field_and_holds_under_either_key() {
        let key = Secret::new("0123456789abcdef");
        let keys = SigningKeys::from(key.clone());
        let token = |token| [Text(b"core-1"), Int(token), Int(9)];
        let mac = guard_mac(&key, "fence_token", &token(7));
        assert_eq!(mac.len(), 64);
        assert!(is_guard_row(&keys, "fence_token", &token(7), &mac));
        assert!(!is_guard_row(&keys, "fence_token", &token(8), &mac));
        assert!(!is_guard_row(&keys, "rule_active", &token(7), &mac));
        for wrong in ["", "00", &mac[..62]] {
            assert!(!is_guard_row(&keys, "fence_token", &token(7), wrong));
        }
        let other = Secret::new("fedcba9876543210");
        let rolled = SigningKeys::new(other.clone(), Some(key));
        assert!(is_guard_row(&rolled, "fence_token", &token(7), &mac));
        let replaced = SigningKeys::from(other);
        assert!(!is_guard_row(&replaced, "fence_token", &token(7), &mac));
    }

    #[test]
    fn each_table_is_listed_once_with_the_column_of_its_version() {
        for table in &SIGNED_GUARD_TABLES {
            let same = SIGNED_GUARD_TABLES.iter().filter(|t| t.name == table.name);
            assert_eq!(same.count(), 1, "{}", table.name);
            let known = table.version.is_empty() || table.columns.contains(&table.version);
            assert!(known, "{}", table.name);
        }
    }
}
