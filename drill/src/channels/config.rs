//! Settings of the simulators.

use crate::channels::kinds::SimulatorKind;
use crate::channels::script::ActionScript;
use crate::channels::script::rates::ActionRates;
use anyhow::Context;
use serde::Deserialize;
use sluice_contract::settings;
use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use std::path::{Path, PathBuf};

/// Settings of one process of simulators. A key that is no field here is a channel's id;
/// one that is neither is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
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
    /// `[netsunion]` and so on, a table each.
    #[serde(flatten)]
    pub channels: ChannelConfigs,
}

/// Settings of every channel; those that the file leaves out are the usual ones.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "BTreeMap<SimulatorKind, SimulatedChannelConfig>")]
pub struct ChannelConfigs([SimulatedChannelConfig; SimulatorKind::COUNT]);

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
            channels: ChannelConfigs::default(),
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

    /// The same with other settings of one channel.
    pub fn with(mut self, kind: SimulatorKind, channel: SimulatedChannelConfig) -> Self {
        self.channels[kind] = channel;
        self
    }

    /// The same with other chances on one channel.
    pub fn with_rates(mut self, kind: SimulatorKind, rates: ActionRates) -> Self {
        self.channels[kind].rates = rates;
        self
    }

    /// Refuses settings that contradict each other, by name.
    pub fn check(&self) -> anyhow::Result<()> {
        // Scripts and books are open to every caller, so this stays on loopback.
        settings::check_listener("listen", &self.listen, false)?;
        anyhow::ensure!(
            self.callback_concurrency > 0,
            "callback_concurrency must be above 0"
        );
        for kind in SimulatorKind::ALL {
            let channel = &self.channels[kind];
            kind.check_rates(&channel.rates)?;
            for script in &channel.scripts {
                kind.check_action(&script.action)
                    .with_context(|| format!("{kind}.scripts match = {:?}", script.pattern))?;
            }
        }
        Ok(())
    }
}

impl From<BTreeMap<SimulatorKind, SimulatedChannelConfig>> for ChannelConfigs {
    fn from(named: BTreeMap<SimulatorKind, SimulatedChannelConfig>) -> Self {
        let mut all = ChannelConfigs::default();
        for (kind, channel) in named {
            all[kind] = channel;
        }
        all
    }
}

impl Index<SimulatorKind> for ChannelConfigs {
    type Output = SimulatedChannelConfig;

    fn index(&self, kind: SimulatorKind) -> &SimulatedChannelConfig {
        &self.0[kind.index()]
    }
}

impl IndexMut<SimulatorKind> for ChannelConfigs {
    fn index_mut(&mut self, kind: SimulatorKind) -> &mut SimulatedChannelConfig {
        &mut self.0[kind.index()]
    }
}
