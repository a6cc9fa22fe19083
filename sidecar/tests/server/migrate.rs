//! Migrations on a private server.

use crate::server::TestServer;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use std::path::Path;

impl TestServer {
    /// Creates the four schemas and runs the migrations.
    pub async fn migrate(&self, schemas: &Schemas) {
        let mut conn = self.conn().await;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        for (folder, schema) in schemas.each() {
            conn.query_drop(format!("CREATE DATABASE {schema}"))
                .await
                .unwrap();
            conn.query_drop(format!("USE {schema}")).await.unwrap();
            let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
                .unwrap()
                .map(|f| f.unwrap().path())
                .collect();
            files.sort_by_key(|file| number_of(file));
            for file in files {
                conn.query_drop(
                    std::fs::read_to_string(file)
                        .unwrap()
                        .trim()
                        .trim_end_matches(';'),
                )
                .await
                .unwrap();
            }
        }
    }
}

/// The number in `V12__name.sql`: the order in which migrations run.
fn number_of(file: &Path) -> u32 {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    name[1..]
        .split("__")
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}
