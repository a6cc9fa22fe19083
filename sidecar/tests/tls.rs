//! Encrypted connections: the server shows a certificate of our authority for its
//! own name, or nothing is read.

use crate::server::TestServer;
use crate::server::tail::{position, schemas, tail_of};
use mysql_async::prelude::Queryable;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use sluice_contract::sql;
use sluice_sidecar::stream::position::StartPosition;
use std::path::{Path, PathBuf};

struct TestAuthority(CertifiedIssuer<'static, KeyPair>);

impl TestAuthority {
    fn new(dir: &Path, file: &str) -> TestAuthority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, file);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(dir.join(file), issuer.pem()).unwrap();
        TestAuthority(issuer)
    }

    /// Settings of a server with a certificate for `name`.
    fn server(&self, dir: &Path, name: &str, expired: bool) -> Vec<String> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            (params.not_before, params.not_after) =
                (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let cert = params.signed_by(&key, &self.0).unwrap();
        let write = |kind: &str, text: String| -> PathBuf {
            let file = dir.join(format!("{name}-{expired}.{kind}"));
            std::fs::write(&file, text).unwrap();
            file
        };
        let cert = write("crt", cert.pem());
        let key = write("key", key.serialize_pem());
        vec![
            format!("--ssl-cert={}", cert.display()),
            format!("--ssl-key={}", key.display()),
        ]
    }
}

async fn refused(url: &str) -> String {
    sql::connect(url).await.map(drop).unwrap_err().to_string()
}

/// A user of whom the server asks a certificate gets in with one, and not without.
async fn only_with_a_certificate_of_ours(conn: &mut mysql_async::Conn, url: &str, dir: &Path) {
    conn.query_drop("CREATE USER 'mutual'@'%' IDENTIFIED BY 'mutual-pass-word' REQUIRE X509")
        .await
        .unwrap();
    let (_, server) = url.split_once('@').unwrap();
    let url = format!("mysql://mutual:mutual-pass-word@{server}");
    let error = refused(&url).await;
    assert!(error.contains("Access denied"), "{error}");
    let shown = format!(
        "{url}&tls_certificate={0}.crt&tls_key={0}.key",
        dir.join("sidecar.test-false").display()
    );
    sql::connect(&shown).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_certificate_is_read_from() {
    sluice_contract::telemetry::install_crypto();
    let dir = tempfile::tempdir().unwrap();
    let ours = TestAuthority::new(dir.path(), "ours.pem");
    TestAuthority::new(dir.path(), "other.pem");
    let mut good = ours.server(dir.path(), "127.0.0.1", false);
    good.push(format!(
        "--ssl-ca={}",
        dir.path().join("ours.pem").display()
    ));
    ours.server(dir.path(), "sidecar.test", false);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    for mut server in TestServer::both("tls", &good).await {
        let with = |server: &TestServer, file: &str| {
            format!(
                "{}?tls_ca={}",
                server.url(),
                dir.path().join(file).display()
            )
        };
        server.migrate(&schemas()).await;
        let url = with(&server, "ours.pem");
        let mut conn = sql::connect(&url).await.unwrap();
        let version: Option<(String, String)> = conn
            .query_first("SHOW STATUS LIKE 'Ssl_version'")
            .await
            .unwrap();
        assert!(
            version.is_some_and(|(_, version)| version.starts_with("TLS")),
            "the connection is not encrypted"
        );
        only_with_a_certificate_of_ours(&mut conn, &url, dir.path()).await;
        let tail = tail_of(
            &url,
            server.flavour(),
            940,
            &position(&server).await,
            StartPosition::Now,
        );
        conn.query_drop(
            "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('c',1,1)",
        )
        .await
        .unwrap();
        assert_eq!(tail.transactions(1).1.len(), 1);
        drop(tail);

        let error = refused(&with(&server, "other.pem")).await;
        assert!(error.contains("UnknownIssuer"), "{error}");
        for (name, expired, said) in [
            ("db.example", false, "not valid for name"),
            ("127.0.0.1", true, "expired"),
        ] {
            let wrong = ours.server(dir.path(), name, expired);
            server
                .restart(&wrong.iter().map(String::as_str).collect::<Vec<_>>())
                .await;
            let error = refused(&with(&server, "ours.pem")).await;
            assert!(error.to_lowercase().contains(said), "{error}");
        }
        let tail = tail_of(
            &with(&server, "ours.pem"),
            server.flavour(),
            941,
            &position(&server).await,
            StartPosition::Now,
        );
        tail.blind_with("certificate").await;
    }
}
