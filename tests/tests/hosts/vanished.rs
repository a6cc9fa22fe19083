//! A core's host that vanishes in the middle of an accept transaction, its locks held: the
//! kernel sends no FIN, and the server must not wait for one.

use super::*;
use sluice_tests::SilentProxy;

/// The first lock of an accept transaction.
const LOCKS: &str = "balance WHERE account_id IN";

/// Two cores, the second behind a proxy; both have the accounts' money.
struct TwoCores {
    set: TestStage,
    proxy: SilentProxy,
    far: sluice_drill::setup::ChildProcess,
    far_admin: String,
    far_client: StageClient,
}

async fn two_cores() -> anyhow::Result<TwoCores> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    fund(&set.stage.client, "H").await?;
    let proxy = SilentProxy::start(port).await?;
    lead_to(&mut set, proxy.port);
    let (ports, far_client) = another(&set)?;
    let far = set.stage.spawn_core("core-far", ports).await?;
    Ok(TwoCores {
        far_admin: ports.address(ports.core_admin),
        set,
        proxy,
        far,
        far_client,
    })
}

/// Asks the far core, which gets as far as its locks; the answer is nobody's concern.
async fn leave_locks_behind(cores: &TwoCores) -> anyhow::Result<()> {
    cores.proxy.shut_behind(LOCKS);
    let client = cores.far_client.clone();
    tokio::spawn(async move { withdraw(&client, "H", "far").await });
    tokio::time::timeout(DEADLINE, cores.proxy.is_shut())
        .await
        .context("the far core has locked nothing")?;
    locks_are_held(&cores.set).await
}

/// Waits until the server has the row's lock for the far core.
async fn locks_are_held(set: &TestStage) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    let begun = Instant::now();
    let sql = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_locked > 0";
    while conn.query_first::<i64, _>(sql).await? == Some(0) {
        ensure!(begun.elapsed() < DEADLINE, "nobody holds a lock");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_is_cut_off_frees_its_locks() -> anyhow::Result<()> {
    let cores = two_cores().await?;
    leave_locks_behind(&cores).await?;
    // Nothing passes until the test's end: only the server can free the lock.
    let id = accepted_at_last(&cores.set.stage.client, "H", "near").await?;
    ensure!(!id.is_empty());
    ready(&cores.far_admin, false, "database").await?;
    cores.proxy.open();
    ready(&cores.far_admin, true, "").await?;
    // What was in flight there is one order or none, and its repeat says which.
    let again = accepted_at_last(&cores.far_client, "H", "far").await?;
    ensure!(again != id, "two keys, one order");
    let once_more = accepted_at_last(&cores.set.stage.client, "H", "far").await?;
    ensure!(once_more == again, "one key made {again} and {once_more}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_stands_still_frees_its_locks() -> anyhow::Result<()> {
    let mut cores = two_cores().await?;
    leave_locks_behind(&cores).await?;
    cores.far.freeze()?;
    // The server's answer reaches a process that doesn't read it.
    cores.proxy.open();
    let id = accepted_at_last(&cores.set.stage.client, "H", "near").await?;
    cores.far.thaw()?;
    ready(&cores.far_admin, true, "").await?;
    let again = accepted_at_last(&cores.far_client, "H", "far").await?;
    let once_more = accepted_at_last(&cores.set.stage.client, "H", "far").await?;
    ensure!(
        once_more == again && again != id,
        "{id} {again} {once_more}"
    );
    Ok(())
}
