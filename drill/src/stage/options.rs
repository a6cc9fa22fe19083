//! Options of a stage; the demo's unless others are given.

use crate::channels::SimulatorConfig;
use crate::setup::MariadbOptions;
use crate::stage::settings::StagePorts;
use std::path::PathBuf;

/// Settings of a stage. `Default` is the demo's.
#[derive(Debug, Clone)]
pub struct StageOptions {
    pub database: String,
    pub rules: PathBuf,
    pub sims: SimulatorConfig,
    pub mariadb: MariadbOptions,
    /// Use these instead of private ones.
    pub mysql_url: Option<String>,
    /// Core and sidecar get database users of their own with the rights of
    /// `scripts/users.sql`; otherwise they use the one that was given.
    pub own_users: bool,
    /// Balance and ledger get private servers of their own.
    pub split_books: bool,
    pub brokers: Option<String>,
    /// Appended to the core's settings file (TOML tables or dotted keys).
    pub core_extra: String,
    /// Settings of every channel in the core's file, one a line.
    pub each_channel: String,
    pub sidecar_extra: String,
    /// The sidecar reads a connector's change feed of this prefix, not the binlog.
    pub changes: Option<String>,
    /// Environment of both programs, such as `RUST_LOG`.
    pub env: Vec<(String, String)>,
    /// Fixed ports (`make up`); free ones if `None`.
    pub ports: Option<StagePorts>,
    pub fence: bool,
    pub dispatch: bool,
}

impl Default for StageOptions {
    fn default() -> Self {
        StageOptions {
            database: "sluice".into(),
            rules: PathBuf::from("rules"),
            sims: SimulatorConfig::default(),
            mariadb: MariadbOptions::default(),
            mysql_url: None,
            own_users: true,
            split_books: false,
            brokers: None,
            core_extra: String::new(),
            each_channel: "deadline_ms = 1000".into(),
            sidecar_extra: String::new(),
            changes: None,
            env: Vec::new(),
            ports: None,
            fence: true,
            dispatch: true,
        }
    }
}

impl StageOptions {
    /// Real services named in the environment are used instead of private ones.
    pub fn from_environment(mut self) -> Self {
        let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        self.mysql_url = set("SLUICE_MYSQL_URL");
        // A server of somebody else's: its users are not ours to make.
        self.own_users = self.mysql_url.is_none();
        self.brokers = set("SLUICE_KAFKA_BROKERS");
        self
    }
}
