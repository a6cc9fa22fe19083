//! The sidecar is killed (kill -9) again and again while faults are committed: each
//! has its verdict at the end, none has two, and no token was ever told before the
//! verdicts of everything committed before it were there.

use crate::server::TestServer;
use crate::server::balances::{verdicts, write_balance, write_token};
use crate::server::daemon::SidecarProcess;
use crate::server::fence_lines::FenceLineReader;
use crate::server::tail::schemas;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const KILL_COUNT: u32 = 50;
/// Each life lasts this long at most, in milliseconds: now and then not long enough
/// to begin, mostly long enough to be in the middle of something.
const LIFETIME_MS: std::ops::Range<u64> = 60..800;

/// Commits faults one after the other; token n is written after fault n.
async fn load(server: Arc<TestServer>, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    let mut conn = server.conn().await;
    let mut number = 0;
    while !stop.load(Ordering::Acquire) {
        number += 1;
        write_balance(&mut conn, number, false).await.unwrap();
        write_balance(&mut conn, number, true).await.unwrap();
        write_token(&mut conn, number).await.unwrap();
        written.store(number, Ordering::Release);
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
}

/// Looks, for each token that is told, whether its verdicts are there at that moment.
async fn watch(server: Arc<TestServer>, port: u16, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = server.conn().await;
    let mut checked = 0;
    while !stop.load(Ordering::Acquire) {
        let Some(mut fence) = FenceLineReader::open(port).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut last = 0;
        while let Some(line) = fence.line().await {
            assert!(line.token >= last, "a token went back within one stream");
            if line.token > last {
                last = line.token;
                let found = verdicts(&mut conn, last).await;
                assert_eq!(
                    found,
                    (last, last),
                    "token {last} was told ahead of its verdicts"
                );
                checked += 1;
            }
            if stop.load(Ordering::Acquire) {
                break;
            }
        }
    }
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_told_too_early() {
    let seed = std::env::var("SLUICE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("seed: {seed} (set SLUICE_SEED to play it again)");
    let mut random = StdRng::seed_from_u64(seed);
    let server = Arc::new(TestServer::start("kills", &[]).await);
    server.migrate(&schemas()).await;
    let mut sidecar =
        SidecarProcess::start(server.dir(), "killed", &format!("url = '{}'", server.url()));
    sidecar.until_ready(None).await;
    let (stop, written) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writes = tokio::spawn(load(
        Arc::clone(&server),
        Arc::clone(&stop),
        Arc::clone(&written),
    ));
    let unwatched = Arc::new(AtomicBool::new(false));
    let watches = tokio::spawn(watch(
        Arc::clone(&server),
        sidecar.port,
        Arc::clone(&unwatched),
    ));
    for _ in 0..KILL_COUNT {
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFETIME_MS))).await;
        sidecar.process.restart().unwrap();
    }
    stop.store(true, Ordering::Release);
    writes.await.unwrap();
    let last = written.load(Ordering::Acquire);
    sidecar.until_ready(None).await;
    sidecar.until_token(last).await;
    unwatched.store(true, Ordering::Release);
    let checked = watches.await.unwrap();
    println!("{last} faults, {checked} tokens looked at");
    assert!(
        checked > u64::from(KILL_COUNT) / 2,
        "only {checked} tokens were told: too short lives to prove anything"
    );
    let mut conn = server.conn().await;
    assert_eq!(verdicts(&mut conn, last).await, (last, last));
    assert_eq!(
        verdicts(&mut conn, 999_999).await,
        (last, last),
        "a right balance has a verdict"
    );
}
