//! How a server's certificate is checked, and in which words it failed.
//!
//! rustls with ring, whichever provider the process has installed. The words
//! are a fixed set, so that a condition that holds them does not flap.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

use crate::endpoint::Tls;

/// The TLS client for a setting; without one, a client that trusts nobody,
/// for plain HTTP.
pub(super) fn config(tls: Option<&Tls>) -> Result<ClientConfig, &'static str> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| "no protocol version is common to both sides")?;
    let Some(tls) = tls else {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    };
    let verifier: Arc<dyn ServerCertVerifier> = if tls.insecure_skip_verify {
        Arc::new(AnyCertificate(provider))
    } else {
        named(tls, trusting(tls, provider)?)?
    };
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    // The name of the URL's host must not be said in place of an address.
    config.enable_sni = name(tls)?.is_none_or(|name| matches!(name, ServerName::DnsName(_)));
    Ok(config)
}

/// The name that was asked for in place of the URL's host.
pub(super) fn name(tls: &Tls) -> Result<Option<ServerName<'static>>, &'static str> {
    let name = tls.server_name.clone().map(ServerName::try_from).transpose();
    name.map_err(|_| "the server name is no host name")
}

fn trusting(tls: &Tls, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, &'static str> {
    let roots = match &tls.ca_bundle {
        Some(pem) => given_roots(pem)?,
        None => system_roots()?,
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| "no certificate authority is left to trust")
}

fn given_roots(pem: &str) -> Result<RootCertStore, &'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| "the CA bundle is not PEM")?;
        roots.add(certificate).map_err(|_| "the CA bundle has a certificate that does not parse")?;
    }
    if roots.is_empty() { Err("the CA bundle has no certificate in PEM") } else { Ok(roots) }
}

fn system_roots() -> Result<RootCertStore, &'static str> {
    let mut roots = RootCertStore::empty();
    // A system store with a few odd certificates in it still serves the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err("no CA bundle is given and the system has none") } else { Ok(roots) }
}

fn named(tls: &Tls, inner: Arc<WebPkiServerVerifier>) -> Result<Arc<dyn ServerCertVerifier>, &'static str> {
    Ok(match name(tls)? {
        Some(name) => Arc::new(OtherName { inner, name }),
        None => inner,
    })
}

/// Verifies for another name than the one that was connected to.
#[derive(Debug)]
struct OtherName {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for OtherName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Accepts any certificate whose key the server holds: `insecureSkipVerify`.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What went wrong, in words without times, names from the certificate or
/// anything else that the other side chooses.
pub(super) fn describe(error: &rustls::Error) -> String {
    use CertificateError as Certificate;
    let words = match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            Certificate::NotValidForNameContext { expected, .. } => {
                return format!("the certificate is not valid for {:?}", expected.to_str());
            }
            Certificate::NotValidForName => "the certificate is not valid for the name of the server",
            Certificate::UnknownIssuer => "the certificate's issuer is not trusted",
            Certificate::Expired | Certificate::ExpiredContext { .. } => "the certificate is expired",
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "the certificate is not valid yet"
            }
            Certificate::Revoked => "the certificate is revoked",
            Certificate::BadSignature => "the certificate is not signed with its issuer's key",
            Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
                "the certificate is not one of a server"
            }
            _ => "the certificate is not acceptable",
        },
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS",
        rustls::Error::AlertReceived(_) => "the server refused",
        rustls::Error::PeerIncompatible(_) => "the server has no TLS version or cipher in common",
        rustls::Error::NoCertificatesPresented => "the server shows no certificate",
        _ => "the protocol was not kept to",
    };
    words.to_owned()
}
