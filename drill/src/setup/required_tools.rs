//! Which system tools are needed, and how to get them.

use anyhow::bail;
use std::path::PathBuf;

/// Tool and the Debian or Ubuntu package that brings it.
const REQUIRED_TOOLS: [(&str, &str); 2] = [
    ("mariadbd", "mariadb-server-core"),
    ("mariadb-install-db", "mariadb-server"),
];

/// Folders where Debian puts servers; an ordinary user's PATH often lacks it.
const EXTRA_TOOL_DIRS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The full path of a tool, if it is installed.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(EXTRA_TOOL_DIRS.iter().map(PathBuf::from));
    dirs.map(|dir| dir.join(tool)).find(|file| file.is_file())
}

/// One line that names everything missing and the command that installs it.
pub fn check() -> anyhow::Result<()> {
    let missing: Vec<_> = REQUIRED_TOOLS
        .iter()
        .filter(|(tool, _)| find(tool).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let tools: Vec<_> = missing.iter().map(|(tool, _)| *tool).collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    bail!(
        "{} not found: run `apt-get install --no-install-recommends {}`",
        tools.join(", "),
        packages.join(" ")
    )
}
