//! `sluice routing show | history`: the configuration in force, and every one before.

use crate::routing::draft_of;
use sluice_contract::clock::trade_time;
use sluice_contract::sql::Conn;
use sluice_core::routing::configuration::version_repo;
use sluice_core::routing::file;

#[allow(clippy::print_stdout)]
pub(super) async fn show(conn: &mut Conn, version: Option<i64>) -> anyhow::Result<()> {
    let version = match version {
        Some(version) => version,
        None => version_repo::active_version(conn).await?,
    };
    if version == 0 {
        println!(
            "# Nothing is configured: the channels of the core's settings, in their order, without rules."
        );
        return Ok(());
    }
    println!(
        "# version {version}\n{}",
        file::write(&draft_of(conn, version).await?)?
    );
    Ok(())
}

#[allow(clippy::print_stdout)]
pub(super) async fn history(conn: &mut Conn) -> anyhow::Result<()> {
    let active = version_repo::active_version(conn).await?;
    println!(
        "{:<9} {:<16} {:<18} reason",
        "version", "written (UTC)", "author"
    );
    for row in version_repo::versions(conn).await? {
        let mark = if row.version == active { "*" } else { "" };
        let written = time(row.created_us)?;
        println!(
            "{:<9} {written:<16} {:<18} {}",
            format!("{}{mark}", row.version),
            row.author,
            row.reason
        );
    }
    println!(
        "\n{:<9} {:<16} {:<18} reason",
        "in force", "since (UTC)", "by"
    );
    for row in version_repo::activations(conn).await? {
        let change = format!("{}→{}", row.previous, row.version);
        println!(
            "{change:<9} {:<16} {:<18} {}",
            time(row.activated_us)?,
            row.author,
            row.reason
        );
    }
    Ok(())
}

fn time(at_us: i64) -> anyhow::Result<String> {
    let text = trade_time(at_us, "UTC")?;
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    Ok(format!(
        "{}-{}-{} {}:{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12)
    ))
}
