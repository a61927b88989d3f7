//! An authority, and the certificates of both ends of mutual TLS.

use std::{error::Error, fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// Writes what a server reads into a directory, and returns how to connect to it.
pub(crate) fn write(dir: &Path) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let key = KeyPair::generate()?;
    let server = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &authority)?;
    fs::create_dir_all(dir)?;
    fs::write(dir.join("ca.crt"), authority.pem())?;
    fs::write(dir.join("tls.crt"), server.pem())?;
    fs::write(dir.join("tls.key"), key.serialize_pem())?;

    let key = KeyPair::generate()?;
    let client = CertificateParams::new(vec!["crossplane".to_owned()])?.signed_by(&key, &authority)?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![client.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
