//! Access control: who calls, by the proof that the request brings along.

use crate::access::allowance::{AllowanceKey, HourAllowances, TakenAmount};
use crate::access::caller::Caller;
use crate::access::client::ApiClient;
use crate::access::end_user::{EndUserClaims, identified};
use crate::access::nonces::UsedNonces;
use crate::access::refusal::AccessRefusal;
use crate::access::signed::SignatureHeader;
use crate::access::token::{TokenClaims, TokenVerifier};
use crate::config::{ClientAuthentication, CoreConfig, CoreSecrets, Grant};
use axum::http::{HeaderMap, Method, Uri, header};
use rust_decimal::Decimal;
use serde_json::Value;
use sluice_contract::clock::now_us;
use sluice_contract::listener::ClientRates;
use sluice_contract::money::Currency;
use sluice_contract::request_signing::{REQUEST_SIGNATURE_SCHEME, SIGNED_HEADERS, SignedRequest};
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::wire::ApiCode;
use std::sync::Arc;

/// The parts of a request that tell who calls.
#[derive(Debug, Clone, Copy)]
pub struct RequestProof<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    /// The body, if the request is signed.
    pub body: Option<&'a [u8]>,
}

/// All clients, and the proofs that are believed.
pub struct AccessControl {
    clients: Vec<Arc<ApiClient>>,
    nameless: Option<Arc<ApiClient>>,
    tokens: Option<Arc<TokenVerifier>>,
    allowances: Arc<HourAllowances>,
    nonces: Arc<UsedNonces>,
    rates: ClientRates,
}

impl AccessControl {
    /// Makes the clients of the settings. Without any there is one nameless caller, on
    /// loopback only.
    ///
    /// # Errors
    /// Settings that can't be read.
    pub fn new(config: &CoreConfig, secrets: &CoreSecrets, orders: Pool) -> anyhow::Result<Self> {
        let pairs = config.clients.iter().zip(&secrets.clients);
        let clients = pairs
            .map(|(client, keys)| Ok(Arc::new(ApiClient::new(client, keys.clone())?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let is_nameless = clients.is_empty();
        let tokens = config.oauth.as_ref().map(TokenVerifier::new).transpose()?;
        Ok(AccessControl {
            clients,
            nameless: is_nameless.then(|| Arc::new(ApiClient::nameless())),
            tokens: tokens.map(Arc::new),
            allowances: Arc::new(HourAllowances::new(orders.clone())),
            nonces: Arc::new(UsedNonces::new(orders)),
            rates: ClientRates::new("public", &config.listener),
        })
    }

    /// Starts looking at the issuer's keys, and giving back idle allowances.
    pub fn start(&self, parts: &Supervisor) {
        let allowances = self.allowances.clone();
        parts.spawn_loop("hour-allowances", async move { allowances.watch().await });
        if of_kind(&self.clients, ClientAuthentication::Hmac)
            .next()
            .is_some()
        {
            self.nonces.start(parts);
        }
        if let Some(tokens) = self.tokens.clone() {
            if let Some(tls) = tokens.tls() {
                parts.spawn_loop("certificates of oauth", tls.watch());
            }
            parts.spawn_loop("issuer-keys", async move { tokens.watch().await });
        }
    }

    /// Tells whether the request's proof covers its body, which is then read first.
    pub fn covers_body(headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION);
        let text = value.and_then(|v| v.to_str().ok());
        text.is_some_and(|t| credentials(t, REQUEST_SIGNATURE_SCHEME).is_some())
    }

    /// Finds out who calls.
    ///
    /// # Errors
    /// Nobody known, or an end user who is not named as the client's settings ask for.
    pub async fn caller(&self, request: RequestProof<'_>) -> Result<Caller, AccessRefusal> {
        if let Some(client) = &self.nameless {
            return identified(client, request.headers, EndUserClaims::default(), None);
        }
        let value = authorization(request.headers)?;
        if let Some(token) = credentials(value, "Bearer") {
            return match self.by_bearer_token(token)? {
                Some(client) => {
                    self.count_request(client)?;
                    identified(client, request.headers, EndUserClaims::default(), None)
                }
                None => self.by_access_token(token, request.headers).await,
            };
        }
        match credentials(value, REQUEST_SIGNATURE_SCHEME) {
            Some(fields) => self.by_signature(fields, request).await,
            None => Err(AccessRefusal::unknown("a known client's proof is needed")),
        }
    }

    /// Counts a request of a client that has shown who it is: nobody else can use its rate
    /// up, and beyond it nothing is asked of the database. The nameless one has the rate of
    /// its address.
    ///
    /// # Errors
    /// Too many in this second.
    fn count_request(&self, client: &ApiClient) -> Result<(), AccessRefusal> {
        if self.rates.has_room(&client.name) {
            return Ok(());
        }
        let text = "this client sends too many requests: wait 1 s";
        Err(AccessRefusal::new(ApiCode::RateLimited, text))
    }

    /// Takes the amount of a call out of the caller's bounds. None: the hour is unbounded.
    ///
    /// # Errors
    /// More than the caller may move by one call, or in this hour.
    pub async fn take_amount(
        &self,
        caller: &Caller,
        grant: Grant,
        amount: Decimal,
        currency: Currency,
    ) -> Result<Option<TakenAmount>, AccessRefusal> {
        let Some(limit) = caller.hour_limit(amount, currency)? else {
            return Ok(None);
        };
        let key = AllowanceKey {
            client: caller.client().to_owned(),
            grant,
            currency,
        };
        self.allowances.take(key, amount, limit).await.map(Some)
    }

    /// Gives an amount back for which nothing new was booked.
    pub fn give_back(&self, taken: Option<TakenAmount>) {
        if let Some(taken) = taken {
            self.allowances.give_back(taken);
        }
    }

    /// Compares with every client's token, so that the time tells nothing.
    fn by_bearer_token(&self, token: &str) -> Result<Option<&Arc<ApiClient>>, AccessRefusal> {
        let mut found: Option<&Arc<ApiClient>> = None;
        for client in of_kind(&self.clients, ClientAuthentication::Bearer) {
            if !has_key(client, |secret| secret.matches(token.as_bytes())) {
                continue;
            }
            if let Some(other) = found {
                // Refused when the core starts; secrets that roll may make it so later.
                tracing::error!(
                    "client_{} and client_{} are the same secret",
                    other.name,
                    client.name
                );
                return Err(AccessRefusal::unknown("two clients have this token"));
            }
            found = Some(client);
        }
        Ok(found)
    }

    async fn by_signature(
        &self,
        fields: &str,
        request: RequestProof<'_>,
    ) -> Result<Caller, AccessRefusal> {
        let proof = SignatureHeader::parse(fields)?;
        let now_s = now_us() / 1_000_000;
        proof.check_time(now_s)?;
        let mismatch = || AccessRefusal::unknown("the signature does not hold");
        let mut clients = of_kind(&self.clients, ClientAuthentication::Hmac);
        let client = clients
            .find(|c| c.name == proof.client)
            .ok_or_else(mismatch)?;
        let target = request.uri.path_and_query();
        let signed = SignedRequest {
            client: proof.client,
            timestamp_s: proof.timestamp_s,
            nonce: proof.nonce,
            method: request.method.as_str(),
            target: target.map_or("", |t| t.as_str()),
            headers: SIGNED_HEADERS.map(|name| values(request.headers, name)),
            body: request.body.unwrap_or_default(),
        };
        if !has_key(client, |secret| signed.is_signed(secret, proof.signature)) {
            return Err(mismatch());
        }
        // Before its nonce is used up: it may be sent again as it is.
        self.count_request(client)?;
        self.nonces.take(&proof).await?;
        identified(client, request.headers, EndUserClaims::default(), None)
    }

    async fn by_access_token(
        &self,
        token: &str,
        headers: &HeaderMap,
    ) -> Result<Caller, AccessRefusal> {
        let Some(tokens) = &self.tokens else {
            return Err(AccessRefusal::unknown("a known client's proof is needed"));
        };
        let claims = tokens.verify(token).await?;
        let config = tokens.config();
        let name = claims.get(&config.client_claim).and_then(Value::as_str);
        let mut clients = of_kind(&self.clients, ClientAuthentication::Jwt);
        let client = clients
            .find(|c| Some(c.name.as_str()) == name)
            .ok_or_else(|| {
                AccessRefusal::unknown("the token is of a client that is not configured")
            })?;
        client.check_subject(claims.get("sub").and_then(Value::as_str))?;
        self.count_request(client)?;
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let end_user = EndUserClaims {
            account: text(&config.account_claim),
            user: text(&config.user_claim),
        };
        let grants = config
            .scope_prefix
            .as_deref()
            .map(|prefix| token_grants(&claims, prefix));
        identified(client, headers, end_user, grants)
    }
}

fn of_kind(
    clients: &[Arc<ApiClient>],
    kind: ClientAuthentication,
) -> impl Iterator<Item = &Arc<ApiClient>> {
    clients.iter().filter(move |c| c.authentication == kind)
}

/// Tells whether `check` holds for one of the client's keys; each is tried.
fn has_key(client: &ApiClient, check: impl Fn(&sluice_contract::settings::Secret) -> bool) -> bool {
    let keys = client.keys.as_ref().map(|ring| ring.get());
    keys.is_some_and(|keys| {
        keys.all()
            .fold(false, |found, secret| check(secret) | found)
    })
}

/// Reads what follows the scheme, whose case doesn't matter (RFC 9110 §11.1).
fn credentials<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = value.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Reads the header `Authorization`, which may be there once.
fn authorization(headers: &HeaderMap) -> Result<&str, AccessRefusal> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value
            .to_str()
            .map_err(|_| AccessRefusal::unknown("can't be read")),
        (None, _) => Err(AccessRefusal::unknown("a known client's proof is needed")),
        (Some(_), Some(_)) => Err(AccessRefusal::unknown("is there twice")),
    }
}

/// Joins the values of a header as they are signed.
fn values(headers: &HeaderMap, name: &str) -> String {
    let all = headers.get_all(name).iter();
    let texts: Vec<_> = all
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
        .collect();
    texts.join(",")
}

/// Reads the grants that a token's `scope` has words for.
fn token_grants(claims: &TokenClaims, prefix: &str) -> Arc<[Grant]> {
    let scope = claims.get("scope").and_then(Value::as_str);
    let words = scope.unwrap_or_default().split(' ');
    let grants = words.filter_map(|word| word.strip_prefix(prefix)?.parse().ok());
    grants.collect()
}
