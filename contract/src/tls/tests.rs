//! TLS between our listener and our client, with certificates made here.

use super::*;
use crate::listener::{BoundListener, ListenerSettings, nobody_key};
use crate::supervisor::Supervisor;
use axum::routing::get;
use axum::{Extension, Router};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes `name.pem` and `name.key`, signed for `subject`.
fn write(dir: &Path, name: &str, authority: &Authority, subject: &str) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    std::fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
    std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

/// Listener for `localhost` that asks for a certificate of `core.test`.
struct MutualListener {
    dir: tempfile::TempDir,
    authority: Authority,
    port: u16,
    _parts: Supervisor,
}

impl MutualListener {
    async fn start(name: &'static str) -> Self {
        let (dir, authority) = (tempfile::tempdir().unwrap(), authority());
        let path = |file: &str| dir.path().join(file);
        std::fs::write(path("ca.pem"), authority.pem()).unwrap();
        write(dir.path(), "server", &authority, "localhost");
        write(dir.path(), "core", &authority, "core.test");
        write(dir.path(), "other", &authority, "other.test");
        let settings = ListenerSettings {
            tls: Some(ServerTlsSettings {
                certificate: path("server.pem"),
                key: path("server.key"),
                client_ca: Some(path("ca.pem")),
                client_names: vec!["core.test".to_owned()],
            }),
            ..ListenerSettings::default()
        };
        let parts = Supervisor::default();
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = BoundListener::over(name, tcp, &settings).unwrap();
        let port = listener.address().unwrap().port();
        let routes = Router::new().route(
            "/who",
            get(|Extension(PeerCertificateName(name))| async move { name.to_string() }),
        );
        listener.serve(&parts, routes, nobody_key());
        MutualListener {
            dir,
            authority,
            port,
            _parts: parts,
        }
    }

    fn settings(&self, client: Option<&str>) -> ClientTlsSettings {
        let file = |name: &str, end: &str| self.dir.path().join(format!("{name}.{end}"));
        ClientTlsSettings {
            ca: Some(file("ca", "pem")),
            certificate: client.map(|client| file(client, "pem")),
            key: client.map(|client| file(client, "key")),
        }
    }

    async fn ask(&self, tls: &ClientTls, host: &str) -> anyhow::Result<String> {
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE);
        let http = ClientTls::apply(Some(tls), http)?.build()?;
        let url = format!("https://{host}:{}/who", self.port);
        Ok(http.get(url).send().await?.text().await?)
    }
}

fn load(settings: &ClientTlsSettings) -> ClientTls {
    ClientTls::load("test", settings).unwrap().unwrap()
}

#[tokio::test]
async fn each_side_shows_a_certificate_of_the_right_authority_and_name() {
    let listener = MutualListener::start("mutual").await;
    let core = load(&listener.settings(Some("core")));
    assert_eq!(listener.ask(&core, "localhost").await.unwrap(), "core.test");
    assert!(
        listener.ask(&core, "127.0.0.1").await.is_err(),
        "the server's certificate has another name"
    );
    let nameless = load(&listener.settings(None));
    assert!(listener.ask(&nameless, "localhost").await.is_err());
    let other = load(&listener.settings(Some("other")));
    assert!(listener.ask(&other, "localhost").await.is_err());
    // A certificate of the right name, signed by somebody else.
    let forger = authority();
    write(listener.dir.path(), "forged", &forger, "core.test");
    let forged = load(&listener.settings(Some("forged")));
    assert!(listener.ask(&forged, "localhost").await.is_err());
    // A server that another authority has signed.
    std::fs::write(listener.dir.path().join("strange.pem"), forger.pem()).unwrap();
    let strange = ClientTlsSettings {
        ca: Some(listener.dir.path().join("strange.pem")),
        ..listener.settings(Some("core"))
    };
    assert!(listener.ask(&load(&strange), "localhost").await.is_err());
}

#[tokio::test]
async fn files_that_change_are_taken_over_and_broken_ones_are_not() {
    let listener = MutualListener::start("rolling").await;
    let core = load(&listener.settings(Some("core")));
    let parts = Supervisor::default();
    parts.spawn_loop("client", core.clone().watch());
    let ask = || listener.ask(&core, "localhost");
    ask().await.unwrap();
    let dir = listener.dir.path();
    let unusable = |of: &str| metrics::METRICS.unusable.with_label_values(&[of]).get() == 1;
    // A key that belongs to another certificate.
    std::fs::copy(dir.join("other.key"), dir.join("server.key")).unwrap();
    until(async || unusable("rolling listener")).await;
    ask().await.unwrap();
    let old = ClientTlsSettings {
        ca: Some(dir.join("both.pem")),
        ..listener.settings(Some("old-core"))
    };
    for end in ["pem", "key"] {
        let core = dir.join(format!("core.{end}"));
        std::fs::copy(core, dir.join(format!("old-core.{end}"))).unwrap();
    }
    // All new, each side's authority first with both.
    let next = authority();
    let both = listener.authority.pem() + &next.pem();
    std::fs::write(dir.join("both.pem"), &both).unwrap();
    let old = load(&old);
    listener.ask(&old, "localhost").await.unwrap();
    std::fs::write(dir.join("ca.pem"), both).unwrap();
    write(dir, "server", &next, "localhost");
    write(dir, "core", &next, "core.test");
    until(async || !unusable("rolling listener")).await;
    std::fs::write(dir.join("ca.pem"), next.pem()).unwrap();
    // Who still has the old ones is out, and who follows is in.
    until(async || listener.ask(&old, "localhost").await.is_err()).await;
    until(async || ask().await.is_ok()).await;
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let met = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, met).await.unwrap();
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let client = |ca: bool, certificate: bool, key: bool| ClientTlsSettings {
        ca: ca.then(|| "a".into()),
        certificate: certificate.then(|| "c".into()),
        key: key.then(|| "k".into()),
    };
    assert!(client(true, true, true).check("t").is_ok());
    assert!(client(true, true, false).check("t").is_err());
    assert!(client(true, false, true).check("t").is_err());
    let error = client(false, true, true).check("t").unwrap_err();
    assert!(error.to_string().contains("t.ca"), "{error}");
    let server = |ca: bool, name: &str| ServerTlsSettings {
        certificate: "c".into(),
        key: "k".into(),
        client_ca: ca.then(|| "a".into()),
        client_names: vec![name.to_owned()],
    };
    assert!(server(true, "core.test").check("t").is_ok());
    assert!(server(true, "no name").check("t").is_err());
    assert!(server(false, "core.test").check("t").is_err());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority();
    write(dir.path(), "a", &authority, "localhost");
    write(dir.path(), "b", &authority, "localhost");
    std::fs::write(dir.path().join("empty"), "").unwrap();
    for (certificate, key, named) in [
        ("a.pem", "none", "none"),
        ("empty", "a.key", "empty"),
        ("a.pem", "empty", "empty"),
        ("a.pem", "b.key", "do not fit"),
    ] {
        let settings = ServerTlsSettings {
            certificate: dir.path().join(certificate),
            key: dir.path().join(key),
            client_ca: None,
            client_names: Vec::new(),
        };
        let error = ServerTls::load("x", &settings).err().unwrap();
        let text = format!("{error:#}");
        assert!(
            text.contains("x listener") && text.contains(named),
            "{text}"
        );
    }
}
