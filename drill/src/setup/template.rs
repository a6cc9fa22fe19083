//! Freshly initialised data directories, made once and copied after: the
//! initialisation takes seconds, the copy a tenth of one.

use crate::setup::process::tail;
use crate::setup::required_tools;
use anyhow::{Context, bail};
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Log of the template: small, so that copies are; servers resize it at the start.
const TEMPLATE_LOG_FILE_OPTION: &str = "--innodb-log-file-size=4M";

/// The account under which servers run here.
pub(super) fn user() -> anyhow::Result<String> {
    let uid = rustix::process::getuid().as_raw();
    if uid == 0 {
        return Ok("root".into());
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let id = uid.to_string();
    let line = passwd
        .lines()
        .map(|l| l.split(':').collect::<Vec<_>>())
        .find(|f| f.get(2) == Some(&id.as_str()));
    let name = line
        .and_then(|fields| fields.first().map(|name| (*name).to_owned()))
        .or(std::env::var("USER").ok());
    name.with_context(|| format!("user id {uid} has no name in /etc/passwd: set USER"))
}

/// Folder where templates are kept unless the caller says: `SLUICE_CACHE_DIR`, else
/// within the build directory, else beside the server's own directory.
pub(super) fn default_dir(server_dir: &Path) -> PathBuf {
    if let Some(dir) = std::env::var_os("SLUICE_CACHE_DIR") {
        return dir.into();
    }
    let exe = std::env::current_exe().unwrap_or_default();
    let target = exe
        .ancestors()
        .find(|dir| dir.file_name().is_some_and(|name| name == "target"));
    match target {
        Some(target) => target.join("sluice-cache"),
        None => server_dir
            .parent()
            .unwrap_or(server_dir)
            .join("sluice-cache"),
    }
}

/// Copies the template for this server version to `data`, making it if needed.
pub(super) fn instantiate(cache: &Path, data: &Path) -> anyhow::Result<()> {
    let server = required_tools::find("mariadbd").context("mariadbd not found")?;
    from_template(
        cache,
        &format!("mariadb-{}", version(&server)?),
        data,
        install,
    )
}

/// The same for MySQL.
pub(super) fn instantiate_mysql(server: &Path, cache: &Path, data: &Path) -> anyhow::Result<()> {
    from_template(
        cache,
        &format!("mysql-{}", version(server)?),
        data,
        |data, log, scratch| install_mysql(server, data, log, scratch),
    )
}

/// Data directory, log, and a place for what the program writes meanwhile.
type InstallFn<'a> = &'a dyn Fn(&Path, &Path, &Path) -> anyhow::Result<()>;

fn from_template(
    cache: &Path,
    name: &str,
    data: &Path,
    install: impl Fn(&Path, &Path, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let template = cache.join(name);
    if !template.is_dir() {
        make(cache, &template, &install)?;
    }
    copy_dir(&template, data)
        .with_context(|| format!("can't copy {} to {}", template.display(), data.display()))
}

/// Version and user: a template of another server or owner doesn't fit.
fn version(server: &Path) -> anyhow::Result<String> {
    let output = Command::new(server)
        .args(["--no-defaults", "--version"])
        .output();
    let output = output.with_context(|| format!("{} --version", server.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .split_whitespace()
        .skip_while(|word| *word != "Ver")
        .nth(1)
        .unwrap_or("unknown");
    let plain: String = version
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    Ok(format!("{plain}-{}", user()?))
}

fn make(cache: &Path, template: &Path, install: InstallFn<'_>) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(cache)
        .with_context(|| cache.display().to_string())?;
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let (building, log) = (
        cache.join(format!("new-{unique}")),
        cache.join(format!("install-{unique}.log")),
    );
    // Of its own: a server that starts clears away what lies there of others.
    let scratch = cache.join(format!("tmp-{unique}"));
    DirBuilder::new()
        .mode(0o700)
        .create(&scratch)
        .with_context(|| scratch.display().to_string())?;
    let made = install(&building, &log, &scratch);
    let _ = fs::remove_dir_all(&scratch);
    if let Err(error) = made {
        // The log stays: the error names it.
        let _ = fs::remove_dir_all(&building);
        return Err(error);
    }
    let _ = fs::remove_file(&log);
    // Others may have been faster; theirs is as good.
    if let Err(error) = fs::rename(&building, template) {
        let _ = fs::remove_dir_all(&building);
        if !template.is_dir() {
            return Err(error).with_context(|| format!("can't create {}", template.display()));
        }
    }
    Ok(())
}

fn install(data: &Path, log: &Path, scratch: &Path) -> anyhow::Result<()> {
    let tool =
        required_tools::find("mariadb-install-db").context("mariadb-install-db not found")?;
    let (output, user) = (File::create(log)?, user()?);
    let status = Command::new(tool)
        .env("TMPDIR", scratch)
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--user={user}"))
        .arg(format!("--auth-root-socket-user={user}"))
        .args([
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            TEMPLATE_LOG_FILE_OPTION,
        ])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .context("can't run mariadb-install-db")?;
    if !status.success() {
        bail!("mariadb-install-db failed ({status}); {}", tail(log));
    }
    Ok(())
}

fn install_mysql(server: &Path, data: &Path, log: &Path, scratch: &Path) -> anyhow::Result<()> {
    let output = File::create(log)?;
    let status = Command::new(server)
        .env("TMPDIR", scratch)
        .arg("--no-defaults")
        .arg(format!("--user={}", user()?))
        .arg(format!("--datadir={}", data.display()))
        .args(["--initialize-insecure", "--innodb-redo-log-capacity=8M"])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .context("can't run mysqld")?;
    if !status.success() {
        bail!(
            "mysqld --initialize-insecure failed ({status}); {}",
            tail(log)
        );
    }
    // Each copy is a server of its own and makes its own name.
    fs::remove_file(data.join("auto.cnf")).context("auto.cnf")
}

/// Copies files and directories, all that lies in `from`.
pub fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|e| e.file_type().map(|kind| (e, kind)))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
