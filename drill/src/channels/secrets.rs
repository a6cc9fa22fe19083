//! Secrets that sign messages in both directions.

use crate::channels::config::SimulatorConfig;
use crate::channels::kinds::SimulatorKind;
use sluice_contract::keys::{self, KeyRing, SigningKeys};
use std::sync::Arc;

/// A ring of keys for each channel, in the order of `SimulatorKind::ALL`.
#[derive(Debug, Clone)]
pub struct SimulatorSecrets(Vec<KeyRing>);

impl SimulatorSecrets {
    /// Reads `channel_<id>` of every channel from the environment or `secrets_dir`.
    pub fn load(config: &SimulatorConfig) -> anyhow::Result<Self> {
        let dir = config.secrets_dir.as_deref();
        let rings = SimulatorKind::ALL
            .iter()
            .map(|kind| KeyRing::load(&format!("channel_{kind}"), dir));
        Ok(SimulatorSecrets(rings.collect::<Result<_, _>>()?))
    }

    /// Takes over what changes in their files, for as long as the program runs.
    pub(super) fn watch(&self) {
        tokio::spawn(keys::watch(self.0.clone(), |_, _| {}));
    }

    /// Secrets that never change.
    pub fn fixed(of: impl Fn(SimulatorKind) -> SigningKeys) -> Self {
        SimulatorSecrets(
            SimulatorKind::ALL
                .map(|kind| KeyRing::fixed(of(kind)))
                .to_vec(),
        )
    }

    pub fn of(&self, kind: SimulatorKind) -> Arc<SigningKeys> {
        self.0[kind.index()].get()
    }
}
