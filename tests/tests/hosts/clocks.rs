//! Clocks that differ: due times, leases and trade times would be stamped wrongly.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_wrong_ends_the_core_and_keeps_it_from_starting() -> anyhow::Result<()> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    // The server tells every new session of the core that it is an hour later.
    on_server(
        &set,
        "SET GLOBAL init_connect='SET SESSION timestamp=UNIX_TIMESTAMP()+3600'",
    )
    .await?;
    let kill = format!("KILL USER '{CORE_USER}'");
    on_server(&set, &kill).await?;
    let mut core = set.stage.core.take().context("a core")?;
    let begun = Instant::now();
    while core.is_running() {
        ensure!(begun.elapsed() < DEADLINE, "it goes on by a wrong clock");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(core.log())?;
    ensure!(
        log.contains("part database-watch") && log.contains("max_clock_skew_ms"),
        "{}",
        core.tail()
    );
    core.restart()?;
    ready(&admin(&set), false, "\"clock\"").await?;
    on_server(&set, "SET GLOBAL init_connect=''").await?;
    on_server(&set, &kill).await?;
    ready(&admin(&set), true, "").await?;
    fund(&set.stage.client, "C").await?;
    set.stage.core = Some(core);
    Ok(())
}
