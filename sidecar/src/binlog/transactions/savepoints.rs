//! Savepoints of a transaction. They stand in a binlog only where rows of another engine,
//! which can't be taken back, belong to the transaction too; watched rows are InnoDB's.

use crate::binlog::transactions::OpenTransaction;

/// A savepoint, and what the transaction held when it was set.
pub struct Savepoint {
    name: String,
    changes: usize,
    control_rows: usize,
}

/// The name at the end of `SAVEPOINT name` and `ROLLBACK TO [SAVEPOINT] name`.
fn name_of(statement: &str) -> String {
    let last = statement.trim_end().rsplit_once(char::is_whitespace);
    let name = last.map_or("", |(_, name)| name);
    name.trim_matches('`').to_lowercase()
}

impl OpenTransaction {
    /// Sets a savepoint; one of the same name is set anew.
    pub fn set_savepoint(&mut self, statement: &str) {
        let name = name_of(statement);
        self.savepoints.retain(|known| known.name != name);
        self.savepoints.push(Savepoint {
            name,
            changes: self.changes.len(),
            control_rows: self.control_rows.len(),
        });
    }

    /// Forgets the rows since the savepoint. Whether there is such a one.
    #[must_use]
    pub fn roll_back_to(&mut self, statement: &str) -> bool {
        let name = name_of(statement);
        let Some(at) = self.savepoints.iter().position(|known| known.name == name) else {
            return false;
        };
        self.savepoints.truncate(at + 1);
        if let Some(savepoint) = self.savepoints.last() {
            self.changes.truncate(savepoint.changes);
            self.control_rows.truncate(savepoint.control_rows);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::change::{ChangeOp, RowChange, TableSchema};
    use crate::stream::gtid::{Flavour, Gtid};
    use std::sync::Arc;

    #[test]
    fn rows_since_a_savepoint_are_forgotten() {
        let gtid = Gtid::parse(Flavour::MariaDb, "0-1-1").unwrap();
        let mut open = OpenTransaction::of(gtid, true);
        let row = || {
            Arc::new(RowChange {
                table: Arc::new(TableSchema::new("balance", Vec::new())),
                op: ChangeOp::Delete,
                before: None,
                after: None,
            })
        };
        open.changes.push(row());
        open.set_savepoint("SAVEPOINT `One`");
        open.changes.push(row());
        open.set_savepoint("SAVEPOINT two");
        open.changes.push(row());
        assert!(open.roll_back_to("ROLLBACK TO two") && open.changes.len() == 2);
        assert!(open.roll_back_to("ROLLBACK TO SAVEPOINT `one`") && open.changes.len() == 1);
        assert!(!open.roll_back_to("ROLLBACK TO two"));
        assert!(open.roll_back_to("rollback to one") && open.changes.len() == 1);
    }
}
