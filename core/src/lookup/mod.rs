//! Look-up of orders: finds an order by every id that anybody may hold, and tells its
//! whole timeline. Nothing here writes; the API and `sluice orders` both ask here.

pub mod repo;
pub mod timeline;
mod timeline_repo;

pub use timeline::{OrderTimeline, TimelineEntry};
pub use timeline_repo::{AttemptRow, CaseRow, OrderPostingRow, TransitionRow};

use crate::config::{CoreConfig, NAMELESS_CLIENT};
use crate::guard::breakers::{self, OpenBreakers};
use crate::lookup::repo::{LookupKey, OrderPage};
use crate::orders::Order;
use sluice_contract::ids::{MAX_KEY_BYTES, is_plain, order_id_of_serial};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use std::collections::BTreeSet;

/// Orders that one id may stand for at most: different upstreams may use the same
/// number, but not hundreds of them.
const MAX_ORDERS_FOUND: usize = 100;
/// Connections per server of a program that isn't the core.
const MAX_CONNECTIONS: usize = 4;

/// Reader of orders for whoever asks; cheap to clone.
#[derive(Clone)]
pub struct OrderLookup {
    pub orders: Pool,
    /// The pool of the ledger, which may be on a server of its own.
    pub ledger: Pool,
    pub schemas: Schemas,
}

impl OrderLookup {
    /// Opens a look-up of its own, for a program that isn't the core.
    pub fn open(config: &CoreConfig) -> anyhow::Result<Self> {
        let schemas = config.schemas()?;
        let servers = config.servers();
        let orders = Pool::open(&servers.orders, &schemas.orders, MAX_CONNECTIONS)?;
        let ledger = if servers.ledger == servers.orders {
            orders.clone()
        } else {
            Pool::open(&servers.ledger, &schemas.ledger, MAX_CONNECTIONS)?
        };
        Ok(OrderLookup {
            orders,
            ledger,
            schemas,
        })
    }

    /// Finds orders under this id, whatever it is: order id, serial number, transaction id,
    /// upstream's own number, or the idempotent key of one of `clients`.
    pub async fn find(&self, id: &str, clients: &[&str]) -> anyhow::Result<Vec<Order>> {
        if !is_plain(id, MAX_KEY_BYTES) {
            return Ok(Vec::new());
        }
        let mut conn = self.orders.get_conn().await?;
        let mut ids: BTreeSet<String> = order_id_of_serial(id).into_iter().collect();
        // A submit's key is its transaction id, behind a prefix.
        let submitted = format!("tx:{id}");
        for by in [
            LookupKey::Transaction(id),
            LookupKey::Biz(id),
            LookupKey::Key(clients, id),
            LookupKey::Key(clients, &submitted),
        ] {
            ids.extend(repo::ids(&mut conn, by, MAX_ORDERS_FOUND).await?);
        }
        repo::load(&mut conn, &ids.into_iter().collect::<Vec<_>>()).await
    }

    /// Finds orders under one kind of id, which names the client too.
    pub async fn find_by(&self, by: LookupKey<'_>) -> anyhow::Result<Vec<Order>> {
        let mut conn = self.orders.get_conn().await?;
        let ids = repo::ids(&mut conn, by, MAX_ORDERS_FOUND).await?;
        repo::load(&mut conn, &ids).await
    }

    /// Pages through a client's orders, oldest first, or through those of one account.
    pub async fn of_client(
        &self,
        page: &OrderPage<'_>,
        max_orders: usize,
    ) -> anyhow::Result<Vec<Order>> {
        repo::of_client(&mut self.orders.get_conn().await?, page, max_orders).await
    }

    /// Finds unfinished orders made before `before_us`, then ended ones that were published
    /// before it and never acknowledged; and the cases of all of them.
    pub async fn stuck(
        &self,
        before_us: i64,
        max_orders: usize,
    ) -> anyhow::Result<(Vec<Order>, Vec<CaseRow>)> {
        let mut conn = self.orders.get_conn().await?;
        let mut orders = repo::unfinished(&mut conn, before_us, max_orders).await?;
        orders.extend(repo::unacknowledged(&mut conn, before_us, max_orders).await?);
        let refs: Vec<_> = orders.iter().map(Order::at).collect();
        let cases = timeline_repo::cases(&mut conn, &refs).await?;
        Ok((orders, cases))
    }

    /// Reads the open breakers.
    pub async fn tripped(&self) -> anyhow::Result<OpenBreakers> {
        breakers::read(&mut self.orders.get_conn().await?, &self.schemas).await
    }

    /// Reads everything that is written down about the order.
    pub async fn timeline(&self, order: &Order) -> anyhow::Result<OrderTimeline> {
        let at = order.at();
        let mut conn = self.orders.get_conn().await?;
        let moves = timeline_repo::transitions(&mut conn, &at).await?;
        let attempts = timeline_repo::attempts(&mut conn, &at).await?;
        let cases = timeline_repo::cases(&mut conn, std::slice::from_ref(&at)).await?;
        let oldest_unpublished = timeline_repo::oldest_unpublished(&mut conn).await?;
        drop(conn);
        let postings =
            timeline_repo::postings(&mut self.ledger.get_conn().await?, &self.schemas, &at).await?;
        Ok(OrderTimeline {
            moves,
            attempts,
            cases,
            postings,
            oldest_unpublished,
        })
    }
}

/// Lists the names under which callers are known with these settings.
pub fn clients(config: &CoreConfig) -> Vec<&str> {
    if config.clients.is_empty() {
        vec![NAMELESS_CLIENT]
    } else {
        config.clients.iter().map(|c| c.name.as_str()).collect()
    }
}
