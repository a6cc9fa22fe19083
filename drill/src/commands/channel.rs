//! `sluice-drill channel`: the channel simulators in the foreground.
#![allow(clippy::print_stdout)]

use crate::channels::{SimulatorConfig, SimulatorServer};
use anyhow::Context;
use sluice_contract::shutdown::interrupted;
use std::path::PathBuf;
use tokio::net::TcpListener;

#[derive(Debug, clap::Args)]
pub struct ChannelArgs {
    /// Settings of the simulators (TOML).
    #[arg(long, env = "SLUICE_CHANNEL_CONFIG")]
    config: PathBuf,
}

pub async fn run(options: ChannelArgs) -> anyhow::Result<()> {
    let config = SimulatorConfig::load(&options.config)?;
    let listener = TcpListener::bind(&config.listen).await.with_context(|| {
        format!(
            "listen = {}: can't listen there; is another simulator running?",
            config.listen
        )
    })?;
    let simulator = SimulatorServer::load(config)?;
    println!(
        "channels on http://{} (seed {})",
        listener.local_addr()?,
        simulator.seed()
    );
    simulator.serve(listener, interrupted()?).await
}
