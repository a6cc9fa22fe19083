//! The count of open breakers, per point.

use crate::breakers;
use crate::leader::guard_db::GuardDb;
use crate::metrics::SidecarMetrics;
use sluice_contract::breaker::BreakerPoint;
use std::time::Duration;

/// A database that does not answer within this is asked the next time.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Counts open breakers and shows them. The database being away is reported elsewhere;
/// the gauge keeps its last value.
pub(super) async fn count(db: &GuardDb, metrics: &SidecarMetrics) {
    let counted = async {
        let mut conn = db.conn().await?;
        breakers::repo::open_counts(&mut conn, &db.schemas).await
    };
    let Ok(Ok(counts)) = tokio::time::timeout(QUERY_TIMEOUT, counted).await else {
        return;
    };
    for point in BreakerPoint::ALL.map(BreakerPoint::as_str) {
        let open = counts
            .iter()
            .find(|(name, _)| name == point)
            .map_or(0, |(_, open)| *open);
        metrics.breakers_open.with_label_values(&[point]).set(open);
    }
}
