//! Settings of traces.

use anyhow::ensure;
use serde::Deserialize;

/// `[traces]`; off unless an endpoint is named.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    /// Collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`.
    #[serde(default)]
    pub endpoint: String,
    /// Share of the requests that are traced, 0 to 1, where the caller has not decided.
    #[serde(default = "default_sample_ratio")]
    pub sample_ratio: f64,
}

fn default_sample_ratio() -> f64 {
    0.01
}

impl Default for TraceSettings {
    fn default() -> Self {
        TraceSettings {
            endpoint: String::new(),
            sample_ratio: default_sample_ratio(),
        }
    }
}

impl TraceSettings {
    /// Refuses what can't work, naming the key.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (0.0..=1.0).contains(&self.sample_ratio),
            "traces.sample_ratio = {}: a share between 0 and 1",
            self.sample_ratio
        );
        let is_url = self.endpoint.parse::<axum::http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
        });
        ensure!(
            self.endpoint.is_empty() || is_url,
            "traces.endpoint: an address such as http://127.0.0.1:4318/v1/traces"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_by_table() {
        let check = |endpoint: &str, sample_ratio: f64| {
            let endpoint = endpoint.to_owned();
            TraceSettings {
                endpoint,
                sample_ratio,
            }
            .check()
            .is_ok()
        };
        assert!(TraceSettings::default().check().is_ok());
        assert!(check("http://127.0.0.1:4318/v1/traces", 1.0) && check("https://c/v1", 0.0));
        assert!(!check("", 1.1) && !check("", -0.1) && !check("", f64::NAN));
        assert!(!check("127.0.0.1:4318", 0.1) && !check("ftp://c/", 0.1) && !check("x y", 0.1));
    }
}
