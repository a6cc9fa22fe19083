//! Jars that `scripts/kafka` fetched by Maven: folders of jars under `.run/tools`.

use crate::setup::required_tools;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// The folder of jars of `kafka` or `debezium`: in `SLUICE_TOOLS_DIR`, or in
/// `.run/tools` of the checkout that holds this executable or this directory.
pub fn jars(name: &str) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("SLUICE_TOOLS_DIR").map(PathBuf::from);
    let mut above: Vec<PathBuf> = Vec::new();
    for start in [std::env::current_exe().ok(), std::env::current_dir().ok()]
        .into_iter()
        .flatten()
    {
        above.extend(start.ancestors().map(|dir| dir.join(".run/tools")));
    }
    let found = named
        .into_iter()
        .chain(above)
        .map(|dir| dir.join(name).join("lib"))
        .find(|dir| dir.is_dir());
    found.with_context(|| {
        format!("the jars of {name} are not in .run/tools: run `scripts/kafka debezium`")
    })
}

/// Java's own program.
pub fn java() -> anyhow::Result<PathBuf> {
    match required_tools::find("java") {
        Some(java) => Ok(java),
        None => bail!(
            "java not found: run `apt-get install --no-install-recommends default-jdk-headless`"
        ),
    }
}

/// A class path of every jar in a folder.
pub fn class_path(jars: &Path) -> String {
    format!("{}/*", jars.display())
}
