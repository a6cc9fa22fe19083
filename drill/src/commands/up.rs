//! `sluice-drill up`: the demo's stage, without the story, until Ctrl-C.

use crate::channels::SimulatorKind;
use crate::commands::first_calls::{self, FirstCall};
use crate::load::request::new_key;
use crate::output::progress::ProgressDisplay;
use crate::stage::merchants::MerchantTraffic;
use crate::stage::traffic::Traffic;
use crate::stage::{DrillStage, StageOptions, StagePorts};
use sluice_contract::shutdown::interrupted;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct UpArgs {
    /// Folder where the private servers keep their data and logs; emptied first,
    /// since the embedded Kafka forgets and positions in it would be lost.
    #[arg(long, default_value = ".run/up")]
    dir: PathBuf,
    /// Honest orders a second to play meanwhile, beside merchants who were paid, settle and
    /// refund; 0 for none.
    #[arg(long, default_value_t = 0)]
    load: u64,
}

/// Load is started anew after this, so that it never ends by itself.
const LOAD_RUN_TIME: Duration = Duration::from_secs(60);
const MERCHANT_COUNT: u64 = 20;
/// Payments of the merchants: `paid-0`, `paid-1` and so on, in turn to `M0000`, `M0001`….
const PAYMENT_COUNT: u64 = 200;

#[allow(clippy::print_stdout)]
pub async fn run(options: UpArgs) -> anyhow::Result<()> {
    crate::commands::demo::fresh(&options.dir)?;
    let interrupted = interrupted()?;
    let progress = ProgressDisplay::new();
    let stage_options = StageOptions {
        ports: Some(StagePorts::DOCUMENTED),
        ..crate::story::options()
    }
    .from_environment();
    let told = |step: &str| progress.step(&format!("starting {step}"));
    let stage = tokio::select! {
        stage = DrillStage::up(&options.dir, stage_options, &told) => stage?,
        () = interrupted.cancelled() => anyhow::bail!("interrupted while starting; everything is stopped"),
    };
    progress.step("giving three accounts money");
    first_calls::fund(&stage).await?;
    progress.finish();
    let ports = stage.ports;
    println!("core API       {}", ports.url(ports.core));
    println!(
        "core admin     {}/ready  {0}/metrics",
        ports.url(ports.core_admin)
    );
    println!("core callbacks {}", ports.url(ports.callbacks));
    println!(
        "sidecar        {}/status  {0}/breakers  {0}/verdicts  {0}/metrics",
        ports.url(ports.sidecar)
    );
    let sims = ports.url(ports.sims);
    let books = SimulatorKind::ALL.map(|kind| format!("{sims}/{kind}/book"));
    println!("channels       {}", books.join("  "));
    println!("Kafka          {}", stage.brokers);
    println!("secrets, settings, logs   {}", options.dir.display());
    print!(
        "{}",
        first_calls::page(&ports.url(ports.core), &FirstCall::all())
    );
    println!("Ctrl-C stops everything.");
    let load = async {
        if options.load == 0 {
            return std::future::pending::<anyhow::Result<()>>().await;
        }
        let mut traffic = Traffic::new(&new_key(), 400);
        traffic.fund(&stage, 1_000_000).await?;
        merchants(&stage).await?;
        loop {
            traffic.run = new_key();
            traffic.open(&stage, options.load, LOAD_RUN_TIME).await?;
        }
    };
    tokio::select! {
        ended = load => ended?,
        () = interrupted.cancelled() => {}
    }
    println!("stopping");
    stage.down().await
}

/// Pays merchants, who then settle and refund parts of some payments.
async fn merchants(stage: &DrillStage) -> anyhow::Result<()> {
    MerchantTraffic::new("paid", MERCHANT_COUNT)
        .pay(stage, PAYMENT_COUNT)
        .await?;
    let asking = MerchantTraffic::new("asking", MERCHANT_COUNT);
    asking.open(stage, 10, Duration::from_secs(6)).await?;
    Ok(())
}
