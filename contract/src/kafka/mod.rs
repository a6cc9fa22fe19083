//! Connection to Kafka: brokers, TLS and SASL, the same for everybody who has a client.
//! It makes properties of librdkafka; the crate itself is not needed here.

mod certificates;

pub use certificates::KafkaCertificates;

use crate::settings::{Secret, is_loopback};
use crate::string_enum;
use anyhow::ensure;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Secret that holds the SASL user's password.
pub const PASSWORD_SECRET: &str = "kafka_password";

string_enum! {
    /// Way in which a client shows the brokers who it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SaslMechanism("kafka.security.sasl") {
        Plain = "PLAIN",
        ScramSha256 = "SCRAM-SHA-256",
        ScramSha512 = "SCRAM-SHA-512",
    }
}

/// TLS and SASL of the connections to the brokers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSecuritySettings {
    /// Encrypts, and checks the brokers' certificates and names.
    pub tls: bool,
    /// Authority of the brokers' certificates, instead of the world's; implies `tls`.
    pub ca: Option<PathBuf>,
    /// Certificate that is shown to the brokers, and its key; both or neither.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; none without it.
    pub sasl: Option<String>,
    /// The SASL user; its password is the secret `kafka_password`.
    pub user: String,
    /// Business events count only with the signature of a producer that has the secret
    /// `event_producer_key`.
    pub signed_events: bool,
    /// Beyond loopback without TLS: events and passwords can be read on their way.
    pub plaintext_beyond_loopback: bool,
}

impl KafkaSecuritySettings {
    fn is_encrypted(&self) -> bool {
        self.tls || self.ca.is_some()
    }

    /// Refuses what contradicts itself, and plaintext to other hosts.
    ///
    /// # Errors
    /// The key that is wrong.
    pub fn check(&self, brokers: &str) -> anyhow::Result<()> {
        ensure!(
            self.certificate.is_some() == self.key.is_some(),
            "kafka.security.certificate and kafka.security.key belong together: set both or neither"
        );
        ensure!(
            self.certificate.is_none() || self.is_encrypted(),
            "kafka.security.certificate needs kafka.security.ca or kafka.security.tls = true"
        );
        if let Some(sasl) = &self.sasl {
            ensure!(
                sasl.parse::<SaslMechanism>().is_ok(),
                "kafka.security.sasl = {sasl:?}: this build knows {}",
                SaslMechanism::ALL.map(SaslMechanism::as_str).join(", ")
            );
        }
        ensure!(
            self.sasl.is_some() != self.user.is_empty(),
            "kafka.security.sasl and kafka.security.user belong together: set both or neither"
        );
        let far = brokers
            .split(',')
            .map(str::trim)
            .filter(|broker| !broker.is_empty())
            .find(|broker| !is_loopback(broker.rsplit_once(':').map_or(*broker, |(host, _)| host)));
        if let (Some(far), false, false) =
            (far, self.is_encrypted(), self.plaintext_beyond_loopback)
        {
            anyhow::bail!(
                "kafka.brokers has {far}: beyond loopback, set kafka.security.ca or kafka.security.tls = true, \
                 or say kafka.security.plaintext_beyond_loopback = true if something else encrypts"
            );
        }
        Ok(())
    }

    /// Loads the password, if these settings need one.
    ///
    /// # Errors
    /// It is missing or too short.
    pub fn password(&self, secrets_dir: Option<&Path>) -> anyhow::Result<Option<Secret>> {
        let needed = self.sasl.as_ref();
        needed
            .map(|_| Secret::load(PASSWORD_SECRET, secrets_dir))
            .transpose()
    }
}

/// Brokers, and all that it takes to be let in.
#[derive(Debug, Clone, Default)]
pub struct KafkaConnection {
    pub brokers: String,
    pub security: KafkaSecuritySettings,
    pub password: Option<Secret>,
}

impl KafkaConnection {
    /// Brokers that ask for nothing, on loopback.
    pub fn open(brokers: &str) -> Self {
        KafkaConnection {
            brokers: brokers.to_owned(),
            ..KafkaConnection::default()
        }
    }

    /// Properties of librdkafka's clients. The password is among them: not to be shown.
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let security = &self.security;
        let protocol = match (security.is_encrypted(), &security.sasl) {
            (false, None) => "plaintext",
            (true, None) => "ssl",
            (false, Some(_)) => "sasl_plaintext",
            (true, Some(_)) => "sasl_ssl",
        };
        let mut all = vec![
            ("bootstrap.servers", self.brokers.clone()),
            ("security.protocol", protocol.to_owned()),
        ];
        for (name, path) in [
            ("ssl.ca.location", &security.ca),
            ("ssl.certificate.location", &security.certificate),
            ("ssl.key.location", &security.key),
        ] {
            all.extend(path.iter().map(|path| (name, path.display().to_string())));
        }
        if let (Some(sasl), Some(password)) = (&security.sasl, &self.password) {
            all.push(("sasl.mechanism", sasl.clone()));
            all.push(("sasl.username", security.user.clone()));
            let password = String::from_utf8_lossy(password.expose()).into_owned();
            all.push(("sasl.password", password));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(brokers: &str, text: &str) -> Result<(), String> {
        let settings: KafkaSecuritySettings = toml::from_str(text).unwrap();
        settings.check(brokers).map_err(|e| e.to_string())
    }

    #[test]
    fn plaintext_beyond_loopback_is_said_or_refused() {
        for near in ["127.0.0.1:9092", "localhost:9092, [::1]:9093", ""] {
            assert_eq!(checked(near, ""), Ok(()), "{near}");
        }
        for far in ["10.0.0.1:9092", "127.0.0.1:1,broker:2", "localhost.evil:1"] {
            let refused = checked(far, "").unwrap_err();
            assert!(refused.contains("kafka.security.ca"), "{far}: {refused}");
            assert_eq!(checked(far, "plaintext_beyond_loopback = true"), Ok(()));
            assert_eq!(checked(far, "tls = true"), Ok(()));
            assert_eq!(checked(far, "ca = 'ca.pem'"), Ok(()));
        }
    }

    #[test]
    fn halves_of_settings_are_refused_by_name() {
        for (text, named) in [
            ("tls = true\ncertificate = 'c'", "certificate"),
            ("certificate = 'c'\nkey = 'k'", "certificate"),
            ("sasl = 'PLAIN'", "user"),
            ("user = 'core'", "sasl"),
            ("sasl = 'GSSAPI'\nuser = 'core'", "knows PLAIN"),
        ] {
            let refused = checked("", text).unwrap_err();
            assert!(refused.contains(named), "{text}: {refused}");
        }
    }

    #[test]
    fn a_password_is_given_to_the_client_and_shown_to_nobody() {
        let connection = KafkaConnection {
            security: toml::from_str("ca = 'ca.pem'\nsasl = 'SCRAM-SHA-512'\nuser = 'core'")
                .unwrap(),
            password: Some(Secret::new("open sesame, says he")),
            ..KafkaConnection::open("b:1")
        };
        let properties = connection.properties();
        let has =
            |name: &str, value: &str| properties.iter().any(|(n, v)| *n == name && v == value);
        assert!(has("security.protocol", "sasl_ssl") && has("sasl.username", "core"));
        assert!(has("sasl.password", "open sesame, says he") && has("ssl.ca.location", "ca.pem"));
        assert!(!format!("{connection:?}").contains("sesame"));
    }
}
