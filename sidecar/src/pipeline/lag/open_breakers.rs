//! The count of open breakers, per point, and whether their seal still fits them.

use crate::breakers;
use crate::breakers::seal::SealState;
use crate::health::Health;
use crate::health::blind::{Blind, BlindCause};
use crate::leader::guard_db::GuardDb;
use sluice_contract::breaker::BreakerPoint;
use std::time::Duration;

/// A database that does not answer within this is asked the next time.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Counts open breakers and shows them. The database being away is reported elsewhere;
/// the gauge keeps its last value.
pub(super) async fn count(db: &GuardDb, health: &Health) {
    let counted = async {
        let mut conn = db.conn().await?;
        let counts = breakers::repo::open_counts(&mut conn, &db.schemas).await?;
        let seal = db.seal.check(&mut conn, &db.schemas).await?;
        mysql_async::Result::Ok((counts, seal))
    };
    let Ok(Ok((counts, seal))) = tokio::time::timeout(QUERY_TIMEOUT, counted).await else {
        return;
    };
    for point in BreakerPoint::ALL.map(BreakerPoint::as_str) {
        let open = counts
            .iter()
            .find(|(name, _)| name == point)
            .map_or(0, |(_, open)| *open);
        let metrics = health.metrics;
        metrics.breakers_open.with_label_values(&[point]).set(open);
    }
    show_seal(&health.blind, &seal);
}

/// Is blind while the breakers are not as they were sealed.
pub(in crate::pipeline) fn show_seal(blind: &Blind, seal: &SealState) {
    match seal {
        SealState::Whole(_) => blind.clear(BlindCause::Breakers),
        SealState::Broken(why) => blind.set(
            BlindCause::Breakers,
            format!("changed by hand ({why}): look at each, then `sluice breakers seal`"),
        ),
    }
}
