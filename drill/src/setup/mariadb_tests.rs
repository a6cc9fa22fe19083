use super::*;

async fn number(server: &MariadbServer, sql: &str) -> anyhow::Result<String> {
    let mut conn = Conn::new(Opts::from_url(&server.url())?).await?;
    let value: Option<String> = conn.query_first(sql).await?;
    conn.disconnect().await?;
    Ok(value.unwrap_or_default())
}

#[tokio::test]
async fn data_survive_a_kill_and_the_settings_hold() -> anyhow::Result<()> {
    let base = tempfile::tempdir()?;
    // Too deep for a socket.
    let dir = base.path().join("d".repeat(120));
    let options = MariadbOptions {
        buffer_pool_mb: 64,
        log_file_mb: 32,
        ..MariadbOptions::default()
    };
    let mut server = MariadbServer::start(&dir, options).await?;
    assert!(server.socket.as_os_str().len() <= MAX_SOCKET_PATH);
    number(&server, "CREATE DATABASE a").await?;
    number(&server, "CREATE TABLE a.t (n INT PRIMARY KEY)").await?;
    number(&server, "INSERT INTO a.t VALUES (7)").await?;
    server.kill9()?;
    server.restart().await?;
    assert_eq!(number(&server, "SELECT n FROM a.t").await?, "7");
    let setting = "SELECT CONCAT_WS(' ', @@binlog_format, @@binlog_row_image, @@binlog_row_metadata, @@sync_binlog, \
                       @@innodb_flush_log_at_trx_commit, @@gtid_strict_mode, @@log_bin, @@gtid_current_pos)";
    assert_eq!(
        number(&server, setting).await?,
        "ROW FULL FULL 1 1 ON ON 0-1-3"
    );
    assert_eq!(
        number(&server, "SELECT COUNT(*) FROM mysql.user WHERE User=''").await?,
        "0"
    );
    server.stop().await?;
    server.restart().await?;
    assert_eq!(number(&server, "SELECT COUNT(*) FROM a.t").await?, "1");
    Ok(())
}

#[tokio::test]
async fn an_orphan_makes_way() -> anyhow::Result<()> {
    let base = tempfile::tempdir()?;
    let options = MariadbOptions {
        buffer_pool_mb: 64,
        log_file_mb: 32,
        ..MariadbOptions::default()
    };
    let mut orphan = MariadbServer::start(base.path(), options.clone()).await?;
    number(&orphan, "CREATE DATABASE kept").await?;
    // Reaped in the background: in life the orphan's parent is gone.
    let first = orphan.pid();
    let reaper = tokio::task::spawn_blocking(move || orphan.process.wait_end());
    let server = MariadbServer::start(base.path(), options).await?;
    assert_ne!(server.pid(), first);
    assert_eq!(number(&server, "SHOW DATABASES LIKE 'kept'").await?, "kept");
    reaper.await?
}
