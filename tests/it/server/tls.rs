//! Mutual TLS and the exchange of certificates.

use std::{
    fs,
    sync::{Arc, atomic::Ordering},
};

use daemon::tls::TlsError;
use function_infisical::{
    contract::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as ClientV1,
    server::{Security, ServeError, Server},
};
use prometheus_client::registry::Registry;
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::support::{
    Authority, Pair, Running, Volume, mk_config, mk_request, served, soon, tls_channel, until,
};

fn der(pair: &Pair) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()
}

/// Whether a call over a new connection is answered.
async fn answered(server: &Running, client: Arc<ClientConfig>) -> bool {
    match tls_channel(server.addr, client).await {
        Ok((channel, _)) => soon(ClientV1::new(channel).run_function(mk_request(""))).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn only_a_client_with_a_certificate_of_the_authority_is_answered() {
    let (authority, stranger) = (Authority::new("crossplane"), Authority::new("stranger"));
    let volume = Volume::new(&authority.issue(), &authority.pem());
    let server = Running::start(mk_config(volume.security())).await;

    assert!(answered(&server, authority.client(Some(&authority.issue()))).await);
    assert!(!answered(&server, authority.client(None)).await, "without a certificate");
    assert!(!answered(&server, authority.client(Some(&stranger.issue()))).await, "with a stranger's");
    assert_eq!(server.function.entered.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_that_is_swapped_is_served_to_new_connections_while_the_old_ones_live() {
    let authority = Authority::new("crossplane");
    let (first, second) = (authority.issue(), authority.issue());
    let mut volume = Volume::new(&first, &authority.pem());
    let server = Running::start(mk_config(volume.security())).await;
    let client = authority.client(Some(&authority.issue()));
    let (channel, connections) = tls_channel(server.addr, client.clone()).await.unwrap();
    let mut old = ClientV1::new(channel);
    soon(old.run_function(mk_request("before"))).await.ok().unwrap();
    assert_eq!(served(server.addr, &client).await, der(&first));

    volume.swap(&second, &authority.pem());
    until("the new one is served", async || served(server.addr, &client).await == der(&second)).await;
    soon(old.run_function(mk_request("after"))).await.ok().unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 1, "the old connection is the same");
}

#[tokio::test]
async fn clients_of_a_swapped_authority_are_answered_and_those_of_the_old_one_are_not() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let (of_first, of_second) = (first.issue(), second.issue());
    let mut volume = Volume::new(&of_first, &first.pem());
    let server = Running::start(mk_config(volume.security())).await;
    let old = first.client(Some(&of_first));
    assert!(answered(&server, old.clone()).await);

    // The server's own certificate stays, so that both clients trust it.
    volume.swap(&of_first, &second.pem());
    let new = first.client(Some(&of_second));
    until("the new authority counts", async || answered(&server, new.clone()).await).await;
    assert!(!answered(&server, old).await);
}

#[tokio::test]
async fn certificates_that_do_not_fit_together_leave_the_old_ones_serving() {
    let authority = Authority::new("crossplane");
    let (good, other) = (authority.issue(), authority.issue());
    let mut volume = Volume::new(&good, &authority.pem());
    let server = Running::start(mk_config(volume.security())).await;
    let client = authority.client(Some(&authority.issue()));
    let refused = "function_infisical_certificate_reloads_total{outcome=\"refused\"}";

    let mismatched = Pair { certificate: other.certificate.clone(), key: good.key.clone() };
    volume.swap(&mismatched, &authority.pem());
    until("the mismatch is seen", async || server.metric(refused).await >= 1.0).await;
    assert_eq!(served(server.addr, &client).await, der(&good));

    volume.swap(&other, "no authority at all");
    until("the missing authority is seen", async || server.metric(refused).await >= 2.0).await;
    assert_eq!(served(server.addr, &client).await, der(&good));
    assert!(answered(&server, client.clone()).await);

    volume.swap(&other, &authority.pem());
    until("a good triple is served", async || served(server.addr, &client).await == der(&other)).await;
    assert!(server.metric(refused).await < 3.0, "each change was refused once");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_refused_with_the_reason() {
    let authority = Authority::new("crossplane");
    let (pair, other) = (authority.issue(), authority.issue());
    let broken = "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n";
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let ca = authority.pem();
    let (crt, key) = ("tls.crt", "tls.key");
    let table = [
        (crt, None, TlsError::Missing { file: crt }),
        (key, None, TlsError::Missing { file: key }),
        ("ca.crt", None, TlsError::Missing { file: "ca.crt" }),
        ("ca.crt", Some("text"), TlsError::NoCertificate { file: "ca.crt" }),
        ("ca.crt", Some(broken), TlsError::BadPem { file: "ca.crt" }),
        ("ca.crt", Some(empty), TlsError::BadCertificate { file: "ca.crt" }),
        (crt, Some(""), TlsError::NoCertificate { file: crt }),
        (crt, Some(empty), TlsError::BadCertificate { file: crt }),
        (key, Some(pair.certificate.as_str()), TlsError::NoKey),
        (key, Some(other.key.as_str()), TlsError::Mismatch),
    ];
    for (file, contents, expected) in table {
        let dir = tempfile::tempdir().unwrap();
        let files = [(crt, &pair.certificate), (key, &pair.key), ("ca.crt", &ca)];
        for (name, good) in files {
            match contents {
                _ if name != file => fs::write(dir.path().join(name), good).unwrap(),
                Some(bad) => fs::write(dir.path().join(name), bad).unwrap(),
                None => {}
            }
        }
        let security = Security::MutualTls { dir: dir.path().to_owned(), reload: super::support::RELOAD };
        let Err(ServeError::Certificates { source, .. }) =
            Server::bind(mk_config(security), Registry::default()).await
        else {
            panic!("{file} as {contents:?} was taken")
        };
        assert_eq!(source, expected, "{file} as {contents:?}");
    }
}
