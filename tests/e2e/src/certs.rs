//! Certificates: those of the cluster, and those that Crossplane's own CA signs.

use std::{fs, os::unix::fs::symlink, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, PKCS_RSA_SHA256,
};
use rustls::pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) public_key: String,
}

/// An authority that the harness makes.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("keys can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate can sign itself"))
    }

    pub(crate) fn certificate(&self) -> String {
        self.0.as_ref().pem()
    }

    /// A certificate of a server on loopback.
    pub(crate) fn server(&self) -> Pair {
        server(&self.0)
    }

    /// A certificate of a user of the API server.
    pub(crate) fn user(&self, name: &str, groups: &[&str]) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        for group in groups {
            params.distinguished_name.push(DnType::OrganizationName, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        sign(&params, &self.0)
    }
}

/// Crossplane's own authority, out of the Secret `crossplane-root-ca`.
pub(crate) struct CrossplaneAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl CrossplaneAuthority {
    /// Crossplane writes its key as PKCS#1, which rcgen does not read.
    pub(crate) fn new(certificate: &str, key: &str) -> Self {
        let key = PrivatePkcs1KeyDer::from_pem_slice(key.as_bytes()).expect("Crossplane's key is PKCS#1");
        let key = PrivatePkcs8KeyDer::from(pkcs8(key.secret_pkcs1_der()));
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_RSA_SHA256).expect("an RSA key");
        let issuer = Issuer::from_ca_cert_pem(certificate, key).expect("Crossplane's CA is a certificate");
        Self { issuer, certificate: certificate.to_owned() }
    }

    /// Writes `tls.crt`, `tls.key` and `ca.crt` of a function as the kubelet
    /// does: into a new folder, to which a link is then switched.
    pub(crate) fn write(&self, dir: &Path, pair: &Pair) {
        fs::create_dir_all(dir).expect("cannot make a folder");
        let version = format!("..{}", fs::read_dir(dir).expect("cannot list a folder").count());
        fs::create_dir(dir.join(&version)).expect("cannot make a folder");
        let files = [("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", &self.certificate)];
        for (name, content) in files {
            fs::write(dir.join(&version).join(name), content).expect("cannot write a certificate");
        }
        let (next, data) = (dir.join("..next"), dir.join("..data"));
        symlink(&version, &next).expect("cannot link");
        fs::rename(&next, &data).expect("cannot switch the link");
        for (name, _) in files {
            if !dir.join(name).exists() {
                symlink(Path::new("..data").join(name), dir.join(name)).expect("cannot link");
            }
        }
    }

    /// A new certificate of a function.
    pub(crate) fn server(&self) -> Pair {
        server(&self.issuer)
    }

    /// The same for a name in the cluster.
    pub(crate) fn server_of(&self, name: &str) -> Pair {
        server_of(&self.issuer, &[name])
    }
}

fn server(issuer: &Issuer<'_, KeyPair>) -> Pair {
    server_of(issuer, &["localhost", "127.0.0.1"])
}

fn server_of(issuer: &Issuer<'_, KeyPair>, names: &[&str]) -> Pair {
    let all: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(all).expect("names that can be certified");
    params.distinguished_name.push(DnType::CommonName, names[0]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(&params, issuer)
}

fn sign(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Pair {
    let key = KeyPair::generate().expect("keys can be made");
    let certificate = params.signed_by(&key, issuer).expect("a certificate can be signed");
    Pair { certificate: certificate.pem(), key: key.serialize_pem(), public_key: key.public_key_pem() }
}

/// Puts the wrapping around a PKCS#1 key that makes it PKCS#8.
fn pkcs8(pkcs1: &[u8]) -> Vec<u8> {
    // INTEGER 0, and a SEQUENCE of the OID rsaEncryption and NULL.
    const HEAD: [u8; 18] = [
        0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
        0x00,
    ];
    der(0x30, &[HEAD.as_slice(), &der(0x04, pkcs1)].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a key is short").to_be_bytes();
    [&[tag, 0x82], length.as_slice(), content].concat()
}
