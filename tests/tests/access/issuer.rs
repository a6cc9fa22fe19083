//! An issuer of access tokens in the test's process: key pairs, and an HTTP server for the
//! public ones.

use crate::listeners::certificates::CertificateFolder;
use crate::listeners::serve_tls;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, extract::State};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::{Value, json};
use sluice_contract::supervisor::Supervisor;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers of the issuer's address: the status and the body.
struct Published {
    answer: Mutex<(u16, String)>,
    asked: AtomicU64,
}

/// The running server; ends with the test's process.
#[derive(Clone)]
pub(super) struct Issuer {
    published: Arc<Published>,
    pub url: String,
}

/// A key pair of the issuer.
pub(super) struct IssuerPair {
    pub key_id: String,
    pair: KeyPair,
}

impl Issuer {
    pub async fn start() -> anyhow::Result<Self> {
        let (published, routes) = served();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/keys", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Issuer { published, url })
    }

    /// Starts one that has an authority of its own, and asks for the core's certificate.
    pub async fn start_over_tls(
        parts: &Supervisor,
        certificates: &CertificateFolder,
    ) -> anyhow::Result<Self> {
        let (published, routes) = served();
        let base = serve_tls(parts, certificates, "issuer", routes).await?;
        let url = format!("{base}/keys");
        Ok(Issuer { published, url })
    }

    /// Publishes these keys.
    pub fn publish(&self, keys: &[&IssuerPair]) {
        let keys: Vec<Value> = keys.iter().map(|k| k.public()).collect();
        self.answer(200, json!({ "keys": keys }).to_string());
    }

    /// Answers so from now on.
    pub fn answer(&self, status: u16, body: String) {
        let mut answer = self.published.answer.lock();
        *answer
            .as_deref_mut()
            .unwrap_or_else(|_| unreachable!("nobody panics")) = (status, body);
    }

    pub fn asked(&self) -> u64 {
        self.published.asked.load(Ordering::SeqCst)
    }
}

/// Makes the routes of an issuer, and the answer that they give.
fn served() -> (Arc<Published>, Router) {
    let published = Arc::new(Published {
        answer: Mutex::new((503, String::new())),
        asked: AtomicU64::new(0),
    });
    let routes = Router::new()
        .route("/keys", get(answer))
        .with_state(published.clone());
    (published, routes)
}

async fn answer(State(published): State<Arc<Published>>) -> (StatusCode, String) {
    published.asked.fetch_add(1, Ordering::SeqCst);
    let answer = published
        .answer
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let status = StatusCode::from_u16(answer.0).unwrap_or(StatusCode::IM_A_TEAPOT);
    (status, answer.1)
}

impl IssuerPair {
    pub fn new(key_id: &str) -> anyhow::Result<Self> {
        Ok(IssuerPair {
            key_id: key_id.to_owned(),
            pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        })
    }

    /// The public point: 32 bytes of x, 32 of y.
    pub fn point(&self) -> &[u8] {
        &self.pair.der_bytes()[1..]
    }

    /// The public key as its issuer publishes it (RFC 7518 §6.2).
    pub fn public(&self) -> Value {
        let (x, y) = self.point().split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.key_id,
                "x": base64url(x), "y": base64url(y) })
    }

    /// Signs claims as this issuer does for access tokens.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        self.sign_as(Some("at+jwt"), claims)
    }

    /// Signs claims as a token of another kind.
    pub fn sign_as(&self, kind: Option<&str>, claims: &Value) -> anyhow::Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = kind.map(str::to_owned);
        header.kid = Some(self.key_id.clone());
        self.sign_under(&header, claims)
    }

    pub fn sign_under(&self, header: &Header, claims: &Value) -> anyhow::Result<String> {
        let key = EncodingKey::from_ec_pem(self.pair.serialize_pem().as_bytes())?;
        Ok(jsonwebtoken::encode(header, claims, &key)?)
    }
}

/// Base64 for URLs, without padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let all = chunk
            .iter()
            .fold(0u32, |all, byte| (all << 8) | u32::from(*byte));
        let all = all << (8 * (3 - chunk.len()));
        (0..=chunk.len())
            .map(|at| char::from(DIGITS[(all >> (18 - 6 * at)) as usize & 63]))
            .collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

#[test]
fn base64url_by_table() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg"),
        ("fo", "Zm8"),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg"),
    ] {
        assert_eq!(base64url(bytes.as_bytes()), text);
    }
    assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
}
