//! Variables of a server that its binlog rests on.

use crate::stream::gtid::Flavour;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use std::collections::HashMap;

/// A variable, its required value, and whether only a restart changes it.
struct RequiredVariable(&'static str, &'static str, bool);

const COMMON_VARIABLES: [RequiredVariable; 6] = [
    RequiredVariable("log_bin", "ON", true),
    RequiredVariable("binlog_format", "ROW", false),
    RequiredVariable("binlog_row_image", "FULL", false),
    RequiredVariable("binlog_row_metadata", "FULL", false),
    RequiredVariable("sync_binlog", "1", false),
    RequiredVariable("innodb_flush_log_at_trx_commit", "1", false),
];
const MARIADB_VARIABLES: [RequiredVariable; 2] = [
    RequiredVariable("log_bin_compress", "OFF", false),
    RequiredVariable("binlog_annotate_row_events", "ON", false),
];
const MYSQL_VARIABLES: [RequiredVariable; 2] = [
    RequiredVariable("binlog_rows_query_log_events", "ON", false),
    RequiredVariable("gtid_mode", "ON", true),
];

/// Every wrong variable, with what to set. Empty if the server is fit.
pub fn wrong_variables(flavour: Flavour, variables: &HashMap<String, String>) -> Vec<String> {
    let own: &[RequiredVariable] = match flavour {
        Flavour::MariaDb => &MARIADB_VARIABLES,
        Flavour::MySql => &MYSQL_VARIABLES,
        Flavour::Feed => return Vec::new(),
    };
    COMMON_VARIABLES
        .iter()
        .chain(own)
        .filter_map(|required| complaint(required, variables))
        .collect()
}

/// Every wrong variable of a server that is read through a feed: a statement in its binlog instead
/// of rows is not told by any connector. One that has no such variable, or can't be asked for
/// them (a proxy), has no such binlog.
pub async fn wrong_variables_for_feed(conn: &mut Conn) -> anyhow::Result<Vec<String>> {
    const FEED_VARIABLES: [&str; 2] = ["binlog_format", "binlog_row_image"];
    let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_format','binlog_row_image')";
    let variables: HashMap<String, String> = match conn.query::<(String, String), _>(sql).await {
        Ok(variables) => variables.into_iter().collect(),
        Err(mysql_async::Error::Server(_)) => HashMap::new(),
        Err(error) => return Err(error.into()),
    };
    let known = COMMON_VARIABLES.iter().filter(|required| {
        FEED_VARIABLES.contains(&required.0) && variables.contains_key(required.0)
    });
    Ok(known
        .filter_map(|required| complaint(required, &variables))
        .collect())
}

fn complaint(
    RequiredVariable(name, want, restart): &RequiredVariable,
    variables: &HashMap<String, String>,
) -> Option<String> {
    let have = variables.get(*name).map_or("missing", String::as_str);
    let same = have.eq_ignore_ascii_case(want)
        || (*want == "ON" && have == "1")
        || (*want == "OFF" && have == "0");
    // A server without binlog_format knows rows only.
    if same || (*name == "binlog_format" && have == "missing") {
        return None;
    }
    let quoted = if want.parse::<u32>().is_ok() {
        (*want).to_owned()
    } else {
        format!("'{want}'")
    };
    Some(if *restart {
        format!(
            "{name} is {have}: set {name} = {want} in the server's configuration and restart it"
        )
    } else {
        format!("{name} is {have}: SET GLOBAL {name} = {quoted}")
    })
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
