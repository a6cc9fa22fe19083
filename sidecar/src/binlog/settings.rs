//! Settings of the servers whose binlog is read.

use anyhow::bail;
use serde::Deserialize;
use sluice_contract::string_enum;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MysqlSourceSettings {
    /// `mysql://user:password@host:port`; several hosts with commas between them are a
    /// primary and those that may be promoted. `?tls_ca=FILE` at the end: encrypted,
    /// with a certificate of that authority for the host's name.
    #[serde(default)]
    pub url: String,
    /// Base name of the four schemas.
    #[serde(default = "default_database")]
    pub database: String,
    /// The core keeps balance and ledger on servers of their own. Rules that look at
    /// those of them that `book_servers` does not name are set to `draft`: nobody reads them.
    #[serde(default)]
    pub split_books: bool,
    /// Other servers, read beside this one.
    #[serde(default)]
    pub book_servers: Vec<BookServerSettings>,
    /// This sidecar as a replica; unique among all replicas of the server.
    #[serde(default = "default_server_id")]
    pub server_id: u32,
}

/// Another server, with balance, ledger or both.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookServerSettings {
    /// In positions, checkpoints and metrics: letters, digits, `_` and `-`, at most 32.
    pub name: String,
    /// As `mysql.url`, here or in `SLUICE_<NAME>_URL`.
    #[serde(default)]
    pub url: String,
    pub schemas: Vec<BookSchema>,
}

string_enum! {
    /// A schema that can be on a server of its own.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum BookSchema("a schema of books") {
        Balance = "balance",
        Ledger = "ledger",
    }
}

impl MysqlSourceSettings {
    /// Logical names of the schemas on the server `book_servers`, or on the first one.
    pub fn schemas_of(&self, also: Option<&BookServerSettings>) -> Vec<&'static str> {
        let elsewhere = |book: &&str| {
            self.book_servers
                .iter()
                .flat_map(|a| &a.schemas)
                .any(|b| b.as_str() == *book)
        };
        match also {
            Some(also) => also.schemas.iter().map(|b| b.as_str()).collect(),
            None => ["orders", "balance", "ledger", "guard"]
                .into_iter()
                .filter(|book| !elsewhere(book))
                .collect(),
        }
    }

    /// The number of the server that a watched table's rows are read from; None if
    /// nobody reads them. The outbox is on each.
    pub fn server_of(&self, table: &str) -> Option<usize> {
        let book = match table {
            "balance" | "capture" => BookSchema::Balance,
            "entry" => BookSchema::Ledger,
            _ => return Some(0),
        };
        let also = self
            .book_servers
            .iter()
            .position(|a| a.schemas.contains(&book))
            .map(|at| at + 1);
        also.or((!self.split_books).then_some(0))
    }

    pub fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        std::iter::once(("mysql.url", self.url.as_str())).chain(
            self.book_servers
                .iter()
                .map(|a| ("mysql.book_servers.url", a.url.as_str())),
        )
    }

    pub fn check_also(&self) -> anyhow::Result<()> {
        for (at, also) in self.book_servers.iter().enumerate() {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if also.name.is_empty() || also.name.len() > 32 || !also.name.bytes().all(plain) {
                bail!(
                    "mysql.book_servers.name = {:?}: use 1 to 32 letters, digits, _ and -",
                    also.name
                );
            }
            let before = &self.book_servers[..at];
            if before.iter().any(|b| b.name == also.name) {
                bail!("mysql.book_servers.name = {:?} is there twice", also.name);
            }
            if also.url.is_empty() {
                bail!(
                    "mysql.book_servers.url of {:?} is not set; write it or set {}",
                    also.name,
                    also.variable()
                );
            }
            if also.schemas.is_empty() {
                bail!(
                    "mysql.book_servers.schemas of {:?} is empty: balance, ledger or both",
                    also.name
                );
            }
            let taken = |book: &&BookSchema| before.iter().any(|b| b.schemas.contains(book));
            if let Some(book) = also.schemas.iter().find(taken) {
                bail!(
                    "mysql.book_servers.schemas: {} is on two servers",
                    book.as_str()
                );
            }
        }
        Ok(())
    }
}

impl BookServerSettings {
    pub fn variable(&self) -> String {
        format!(
            "SLUICE_{}_URL",
            self.name.to_ascii_uppercase().replace('-', "_")
        )
    }
}

pub fn default_database() -> String {
    "sluice".to_owned()
}

/// High, so that it meets no hand-numbered replica. Random: in containers every process
/// has the same few ids, and a server throws out one of two replicas with one number.
pub fn default_server_id() -> u32 {
    rand::random_range(3_000_000_000..4_000_000_000)
}
