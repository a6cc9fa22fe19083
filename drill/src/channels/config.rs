//! Settings of the simulators.

use crate::channels::kind::SimulatorKind;
use crate::channels::script::{ActionRates, ActionScript};
use anyhow::Context;
use serde::Deserialize;
use sluice_contract::settings;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorConfig {
    /// Address of the channels' API; port 0 picks a free one.
    pub listen: String,
    /// Holds `channel_<id>` of each, and `channel_<id>_next` while one is changed.
    pub secrets_dir: Option<PathBuf>,
    /// Base URL of the core: callbacks go to `<callback_url>/withdraw/notify/<channel>`.
    /// Empty: nothing is told, only queries find out.
    pub callback_url: String,
    /// Trades are appended here as JSON lines, and read back at the start, so that
    /// a killed simulator knows what it paid.
    pub book_file: Option<PathBuf>,
    /// Seed of all chances; without one it is drawn, and printed either way.
    pub seed: Option<u64>,
    /// Callbacks under way at a time.
    pub callback_concurrency: usize,
    pub netsunion: SimulatedChannelConfig,
    pub unionpay: SimulatedChannelConfig,
    pub psp: SimulatedChannelConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatedChannelConfig {
    /// Milliseconds between accepting a trade and settling and telling it.
    pub callback_delay_ms: u64,
    /// Milliseconds before every reply to a payment request.
    pub reply_delay_ms: u64,
    pub rates: ActionRates,
    pub scripts: Vec<ActionScript>,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        SimulatorConfig {
            listen: "127.0.0.1:7300".into(),
            secrets_dir: None,
            callback_url: String::new(),
            book_file: None,
            seed: None,
            // A callback waits for the core's commit: fewer would bound the whole system.
            callback_concurrency: 256,
            netsunion: SimulatedChannelConfig::default(),
            unionpay: SimulatedChannelConfig::default(),
            psp: SimulatedChannelConfig::default(),
        }
    }
}

impl Default for SimulatedChannelConfig {
    fn default() -> Self {
        SimulatedChannelConfig {
            callback_delay_ms: 50,
            reply_delay_ms: 0,
            rates: ActionRates::default(),
            scripts: Vec::new(),
        }
    }
}

impl SimulatorConfig {
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let config: SimulatorConfig = settings::load_toml(path)?;
        config.check().with_context(|| path.display().to_string())?;
        Ok(config)
    }

    pub fn channel(&self, kind: SimulatorKind) -> &SimulatedChannelConfig {
        match kind {
            SimulatorKind::NetsUnion => &self.netsunion,
            SimulatorKind::UnionPay => &self.unionpay,
            SimulatorKind::Psp => &self.psp,
        }
    }

    pub fn check(&self) -> anyhow::Result<()> {
        // Scripts and books are open to every caller, so this stays on loopback.
        settings::check_listener("listen", &self.listen, false)?;
        anyhow::ensure!(
            self.callback_concurrency > 0,
            "callback_concurrency must be above 0"
        );
        for kind in SimulatorKind::ALL {
            let channel = self.channel(kind);
            channel.rates.check(kind)?;
            for script in &channel.scripts {
                script
                    .action
                    .check(kind)
                    .with_context(|| format!("{kind}.scripts match = {:?}", script.pattern))?;
            }
        }
        Ok(())
    }
}
