//! A primary dies and its replica is promoted: the sidecar goes on there, nothing is
//! lost or found twice; a replica that lacks what was read makes it blind.

mod promotion;
mod switch;

use crate::server::TestServer;
use crate::server::balances::{verdicts, write_balance, write_token};
use crate::server::daemon::SidecarProcess;
use crate::server::tail::{position, schemas};
use mysql_async::prelude::Queryable;
use sluice_sidecar::stream::gtid::{Flavour, GtidSet};
use std::time::Duration;

/// Both hosts of MySQL know it; on MariaDB it is root without a password.
const USER: (&str, &str) = ("both", "of-both-hosts");

/// A primary and a replica that follows it by GTID.
async fn two(name: &str, flavour: Flavour) -> Option<(TestServer, TestServer)> {
    let replica = format!("{name}-replica");
    if flavour == Flavour::MySql {
        let first = TestServer::mysql(name, &[]).await?;
        let ((user, password), mut conn) = (USER, first.conn().await);
        conn.query_drop(format!(
            "CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}'"
        ))
        .await
        .unwrap();
        conn.query_drop(format!(
            "GRANT ALL ON *.* TO '{user}'@'127.0.0.1' WITH GRANT OPTION"
        ))
        .await
        .unwrap();
        let second = TestServer::mysql(&replica, &["--server-id=2", "--read-only=ON"]).await?;
        let follow = format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, SOURCE_USER='{user}', \
             SOURCE_PASSWORD='{password}', SOURCE_CONNECT_RETRY=1, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1",
            first.port()
        );
        all(&second, &[&follow, "START REPLICA"]).await;
        return Some((first, second));
    }
    let first = TestServer::start(name, &[]).await;
    let second = TestServer::start(
        &replica,
        &["--server-id=2", "--log-slave-updates=ON", "--read-only=ON"],
    )
    .await;
    let follow = format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='root', MASTER_CONNECT_RETRY=1, \
         MASTER_USE_GTID=slave_pos",
        first.port()
    );
    all(
        &second,
        &[
            "RESET MASTER",
            "SET GLOBAL gtid_slave_pos=''",
            &follow,
            "START SLAVE",
        ],
    )
    .await;
    Some((first, second))
}

async fn all(server: &TestServer, statements: &[&str]) {
    let mut conn = server.conn().await;
    for sql in statements {
        conn.query_drop(*sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The settings' line that names both hosts.
fn hosts(first: &TestServer, second: &TestServer) -> String {
    let who = match first.flavour() {
        Flavour::MySql => format!("{}:{}", USER.0, USER.1),
        _ => "root".to_owned(),
    };
    format!(
        "url = 'mysql://{who}@127.0.0.1:{},127.0.0.1:{}'",
        first.port(),
        second.port()
    )
}

/// Waits until the replica has all that the primary has now: the sidecar's own breakers
/// too, which count as much as what they are about.
async fn caught_up(primary: &TestServer, replica: &TestServer) {
    let read = |text: String| GtidSet::parse(primary.flavour(), &text).unwrap();
    let wanted = read(position(primary).await);
    for _ in 0..400 {
        if read(position(replica).await).lacks(&wanted) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the replica does not get {}", wanted.render());
}

async fn promote(replica: &TestServer) {
    match replica.flavour() {
        Flavour::MySql => {
            all(
                replica,
                &[
                    "STOP REPLICA",
                    "RESET REPLICA ALL",
                    "SET GLOBAL read_only=OFF",
                ],
            )
            .await
        }
        _ => {
            all(
                replica,
                &["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only=OFF"],
            )
            .await
        }
    }
}

async fn faults(server: &TestServer, numbers: std::ops::RangeInclusive<u64>) {
    let mut conn = server.conn().await;
    for number in numbers {
        write_balance(&mut conn, number, true).await.unwrap();
        write_token(&mut conn, number).await.unwrap();
    }
}
