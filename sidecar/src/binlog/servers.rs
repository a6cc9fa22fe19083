//! The database servers that are read, a reader each. The first has orders and guard:
//! fence, verdicts and checkpoints are there. Balance and ledger may be on others.

use crate::binlog::hosts::ServerHosts;
use crate::binlog::server_watch;
use crate::binlog::settings::MysqlSourceSettings;
use crate::binlog::verdict_server;
use crate::binlog::watched_tables::WatchedTables;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::stream::gtid::Flavour;
use sluice_contract::schema::Schemas;
use std::sync::Arc;
use tokio::sync::watch;

/// One server.
pub struct SourceServer {
    /// Empty for the first.
    pub name: String,
    pub hosts: Arc<ServerHosts>,
    /// Logical names of the schemas that are here.
    pub schemas: Vec<&'static str>,
    pub blind: Blind,
    pub last_activity: LastActivity,
    fit: watch::Sender<Option<Flavour>>,
}

/// Connections to a server that is only read: questions about its position.
const READ_CONNECTIONS: usize = 2;

impl SourceServer {
    /// The server's row in the checkpoint: `binlog`, or `binlog:balance`. A feed has positions of
    /// its own kind, and both may be tried in turn: `changes`.
    pub fn source(&self, flavour: Flavour) -> String {
        if flavour == Flavour::Feed {
            return "changes".to_owned();
        }
        if self.name.is_empty() {
            "binlog".to_owned()
        } else {
            format!("binlog:{}", self.name)
        }
    }

    /// The server's name in metrics.
    pub fn label(&self) -> &str {
        if self.name.is_empty() {
            "main"
        } else {
            &self.name
        }
    }

    /// The tables that are watched here.
    pub fn watch(&self, schemas: &Schemas) -> WatchedTables {
        WatchedTables::of(schemas, |logical| self.schemas.contains(&logical))
    }

    /// The server's flavour, once its settings are right. `None` if nobody asks any more.
    pub async fn fit(&self) -> Option<Flavour> {
        let mut fit = self.fit.subscribe();
        *fit.wait_for(Option::is_some).await.ok()?
    }

    /// The same, at once.
    pub fn is_fit(&self) -> Option<Flavour> {
        *self.fit.borrow()
    }

    /// Asks for ever whether its settings are right; one whose changes come by a feed
    /// need only be there.
    pub fn inspect(&self, fed: bool) -> impl Future<Output = ()> + Send + 'static {
        self.blind.set(BlindCause::Mysql, "connecting");
        let (hosts, blind, fit) = (
            Arc::clone(&self.hosts),
            self.blind.clone(),
            self.fit.clone(),
        );
        async move {
            match fed {
                true => verdict_server::watch(hosts.url().to_owned(), blind, fit).await,
                false => server_watch::watch(hosts, blind, fit).await,
            }
        }
    }
}

/// Every server that the settings name, the first one first.
pub fn all(
    mysql: &MysqlSourceSettings,
    connections: usize,
    blind: &Blind,
) -> anyhow::Result<Vec<SourceServer>> {
    let server = |name: &str, setting: &str, url: &str, schemas: Vec<&'static str>, connections| {
        anyhow::Ok(SourceServer {
            hosts: Arc::new(ServerHosts::new(setting, url, connections)?),
            schemas,
            blind: if name.is_empty() {
                blind.clone()
            } else {
                blind.of(name)
            },
            last_activity: LastActivity::default(),
            fit: watch::channel(None).0,
            name: name.to_owned(),
        })
    };
    let mut servers = vec![server(
        "",
        "mysql.url",
        &mysql.url,
        mysql.schemas_of(None),
        connections,
    )?];
    for also in &mysql.book_servers {
        let schemas = mysql.schemas_of(Some(also));
        servers.push(server(
            &also.name,
            "mysql.book_servers.url",
            &also.url,
            schemas,
            READ_CONNECTIONS,
        )?);
    }
    Ok(servers)
}
