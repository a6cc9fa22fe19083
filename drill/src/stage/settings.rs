//! The settings files of a stage: complete, so that they serve as examples too.

use crate::channels::SimulatorKind;
use crate::setup::ports::free_port;
use crate::stage::DrillStage;
use sluice_core::schema::DatabaseUrls;

/// Loopback ports of a stage.
#[derive(Debug, Clone, Copy)]
pub struct StagePorts {
    pub core: u16,
    pub core_admin: u16,
    pub callbacks: u16,
    pub sidecar: u16,
    pub sims: u16,
}

impl StagePorts {
    /// The ports that the documents speak of.
    pub const DOCUMENTED: StagePorts = StagePorts {
        core: 7_100,
        core_admin: 7_101,
        callbacks: 7_102,
        sidecar: 7_200,
        sims: 7_300,
    };

    /// Ports that nobody listens on now.
    pub fn free() -> anyhow::Result<Self> {
        Ok(StagePorts {
            core: free_port()?,
            core_admin: free_port()?,
            callbacks: free_port()?,
            sidecar: free_port()?,
            sims: free_port()?,
        })
    }

    pub fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{port}")
    }

    pub fn url(&self, port: u16) -> String {
        format!("http://127.0.0.1:{port}")
    }
}

/// Settings of a core.
pub fn core(stage: &DrillStage, name: &str, ports: StagePorts) -> String {
    core_as(stage, name, ports, &stage.urls.core)
}

/// The core's settings for an operator's commands, under the operators' database user.
pub fn operator(stage: &DrillStage) -> String {
    core_as(stage, "core", stage.ports, &stage.urls.operator)
}

fn core_as(stage: &DrillStage, name: &str, ports: StagePorts, urls: &DatabaseUrls) -> String {
    let options = &stage.options;
    format!(
        r#"name = "{name}"
listen = "{listen}"
admin = "{admin}"
callbacks.listen = "{callbacks}"
secrets_dir = "{secrets}"
fence.enabled = {fence}
fence.sidecar_url = "{sidecar}"
dispatch.enabled = {dispatch}
{extra}
[mysql]
url = "{url}"
database = "{database}"
max_clock_skew_ms = 200
migrate = {migrate}
{split_books}[kafka]
brokers = "{brokers}"
{channels}"#,
        listen = ports.address(ports.core),
        admin = ports.address(ports.core_admin),
        callbacks = ports.address(ports.callbacks),
        secrets = stage.dir.join("secrets").display(),
        extra = options.core_extra,
        url = urls.orders,
        database = options.database,
        migrate = !options.own_users,
        split_books = split_books(urls),
        brokers = stage.brokers,
        fence = options.fence,
        sidecar = ports.url(stage.ports.sidecar),
        dispatch = options.dispatch,
        channels = channels(stage),
    )
}

/// A table for every simulated channel.
fn channels(stage: &DrillStage) -> String {
    let (sims, each) = (
        stage.ports.url(stage.ports.sims),
        &stage.options.each_channel,
    );
    let channel = |kind: SimulatorKind| {
        let path = kind.simulator().base_path();
        let zones = stage.options.zones.iter().filter(|(of, _)| *of == kind);
        let zone: String = zones.map(|(_, z)| format!("zone = \"{z}\"\n")).collect();
        format!("[[channels]]\nid = \"{kind}\"\nurl = \"{sims}{path}\"\n{zone}{each}\n")
    };
    SimulatorKind::ALL.map(channel).concat()
}

pub fn sidecar(stage: &DrillStage) -> String {
    let options = &stage.options;
    format!(
        r#"listen = "{listen}"
secrets_dir = "{secrets}"
rules_dir = "{rules}"
state.dir = "{state}"
{extra}
[mysql]
url = "{url}"
database = "{database}"
{also}[kafka]
brokers = "{brokers}"
{changes}"#,
        changes = options
            .changes
            .as_ref()
            .map_or_else(String::new, |prefix| format!(
                "changes.prefix = \"{prefix}\"\n"
            )),
        listen = stage.ports.address(stage.ports.sidecar),
        secrets = stage.dir.join("secrets").display(),
        rules = options.rules.display(),
        state = stage.dir.join("state").display(),
        extra = options.sidecar_extra,
        url = stage.urls.sidecar.orders,
        database = options.database,
        also = also(stage),
        brokers = stage.brokers,
    )
}

/// The same servers, as the sidecar reads them.
fn also(stage: &DrillStage) -> String {
    let urls = &stage.urls.sidecar;
    if !urls.are_split() {
        return String::new();
    }
    let server = |name: &str, url: &str| {
        format!(
            "[[mysql.book_servers]]\nname = \"{name}\"\nurl = \"{url}\"\nschemas = [\"{name}\"]\n"
        )
    };
    server("balance", &urls.balance) + &server("ledger", &urls.ledger)
}

/// The servers of balance and ledger, if the books are split.
fn split_books(urls: &DatabaseUrls) -> String {
    match urls.are_split() {
        false => String::new(),
        true => format!(
            "[balance]\nurl = \"{}\"\n[ledger]\nurl = \"{}\"\n",
            urls.balance, urls.ledger
        ),
    }
}
