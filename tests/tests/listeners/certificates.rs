//! Certificates of the tests' own authorities.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sluice_contract::tls::ClientTlsSettings;
use std::path::{Path, PathBuf};

/// Files of one authority and of what it has signed: `ca.pem`, `server.…`, `core.…`.
pub struct CertificateFolder {
    dir: PathBuf,
}

impl CertificateFolder {
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let folder = CertificateFolder {
            dir: dir.to_owned(),
        };
        folder.sign_all()?;
        Ok(folder)
    }

    /// Replaces everything: another authority, and certificates of the same names.
    pub fn sign_all(&self) -> anyhow::Result<()> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate whose subject is its issuer's for a self-signed one.
        let common_name = DnType::CommonName;
        params
            .distinguished_name
            .push(common_name.clone(), "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let put = |file: String, text: String| std::fs::write(self.dir.join(file), text);
        put("ca.pem".to_owned(), authority.pem())?;
        for (file, name) in [("server", "localhost"), ("core", "core.test")] {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(vec![name.to_owned()])?;
            params.distinguished_name.push(common_name.clone(), name);
            let certificate = params.signed_by(&key, &authority)?.pem();
            // Both in one file is how Kafka reads them.
            put(format!("{file}.both"), key.serialize_pem() + &certificate)?;
            put(format!("{file}.pem"), certificate)?;
            put(format!("{file}.key"), key.serialize_pem())?;
        }
        Ok(())
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// Settings of a client that shows the core's certificate, or none.
    pub fn client(&self, shows_certificate: bool) -> ClientTlsSettings {
        let shown = |file: &str| shows_certificate.then(|| self.path(file));
        ClientTlsSettings {
            ca: Some(self.path("ca.pem")),
            certificate: shown("core.pem"),
            key: shown("core.key"),
        }
    }

    /// The same, as a settings file has it.
    pub fn client_table(&self) -> String {
        let path = |file: &str| self.path(file).display().to_string();
        format!(
            "{{ ca = '{}', certificate = '{}', key = '{}' }}",
            path("ca.pem"),
            path("core.pem"),
            path("core.key")
        )
    }

    /// Settings of a listener; with `mutual`, only the core may connect.
    pub fn server_table(&self, mutual: bool) -> String {
        let path = |file: &str| self.path(file).display().to_string();
        let clients = if mutual {
            format!(
                ", client_ca = '{}', client_names = ['core.test']",
                path("ca.pem")
            )
        } else {
            String::new()
        };
        format!(
            "{{ certificate = '{}', key = '{}'{clients} }}",
            path("server.pem"),
            path("server.key")
        )
    }
}
