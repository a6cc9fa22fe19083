//! The settings files of a stage: complete, so that they serve as examples too.

use super::Stage;

/// Loopback ports of a stage.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub core: u16,
    pub core_admin: u16,
    pub sidecar: u16,
    pub sims: u16,
}

impl Ports {
    /// The ports that the documents speak of.
    pub const DOCUMENTED: Ports = Ports {
        core: 7_100,
        core_admin: 7_101,
        sidecar: 7_200,
        sims: 7_300,
    };

    pub fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{port}")
    }

    pub fn url(&self, port: u16) -> String {
        format!("http://127.0.0.1:{port}")
    }
}

pub fn core(stage: &Stage, name: &str, ports: Ports) -> String {
    let options = &stage.options;
    format!(
        r#"name = "{name}"
listen = "{listen}"
admin = "{admin}"
secrets_dir = "{secrets}"
fence.enabled = {fence}
fence.sidecar_url = "{sidecar}"
dispatch.enabled = {dispatch}
{extra}
[mysql]
url = "{url}"
database = "{database}"
{apart}[kafka]
brokers = "{brokers}"
[[channels]]
id = "netsunion"
url = "{sims}"
{each_channel}
[[channels]]
id = "unionpay"
url = "{sims}"
{each_channel}
[[channels]]
id = "psp"
url = "{sims}/psp"
{each_channel}
"#,
        listen = ports.address(ports.core),
        admin = ports.address(ports.core_admin),
        secrets = stage.dir.join("secrets").display(),
        extra = options.core_extra,
        each_channel = options.each_channel,
        url = stage.url,
        database = options.database,
        apart = apart(stage),
        brokers = stage.brokers,
        fence = options.fence,
        sidecar = ports.url(stage.ports.sidecar),
        dispatch = options.dispatch,
        sims = ports.url(stage.ports.sims),
    )
}

pub fn sidecar(stage: &Stage) -> String {
    let options = &stage.options;
    format!(
        r#"listen = "{listen}"
secrets_dir = "{secrets}"
rules_dir = "{rules}"
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
        extra = options.sidecar_extra,
        url = stage.url,
        database = options.database,
        also = also(stage),
        brokers = stage.brokers,
    )
}

/// The same servers, as the sidecar reads them.
fn also(stage: &Stage) -> String {
    let Some(apart) = &stage.apart else {
        return String::new();
    };
    let server = |name: &str, url: String| {
        format!(
            "[[mysql.book_servers]]\nname = \"{name}\"\nurl = \"{url}\"\nschemas = [\"{name}\"]\n"
        )
    };
    server("balance", apart.balance.url()) + &server("ledger", apart.ledger.url())
}

/// The servers of balance and ledger, if they are apart.
fn apart(stage: &Stage) -> String {
    let urls = stage
        .apart
        .as_ref()
        .map(|apart| (apart.balance.url(), apart.ledger.url()));
    urls.map_or_else(String::new, |(b, l)| {
        format!("[balance]\nurl = \"{b}\"\n[ledger]\nurl = \"{l}\"\n")
    })
}
