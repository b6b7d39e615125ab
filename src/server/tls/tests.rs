//! Handshakes, and pairs of files that change.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

use super::super::testing::{LONG, SHORT, soon};
use super::*;
use crate::config::problem::Location;

/// A folder with a certificate and its key.
struct Files {
    folder: tempfile::TempDir,
    paths: ServerTls,
    certificate: CertificateDer<'static>,
}

fn files() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let located = |name: &str| Located {
        value: folder.path().join(name),
        at: Location { key: format!("server.tls.{name}"), ..Location::default() },
    };
    let paths = ServerTls { cert: located("cert"), key: located("key"), clients: None };
    let certificate = renew(&paths);
    Files { folder, paths, certificate }
}

/// Writes a new pair.
fn renew(files: &ServerTls) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&files.cert.value, cert.pem()).unwrap();
    std::fs::write(&files.key.value, signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

/// The protocol and the certificate that a client gets who trusts `trusted` and offers `protocols`.
async fn shake(
    tls: &Tls,
    trusted: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> Option<(Option<Vec<u8>>, CertificateDer<'static>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let client = async {
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()
    };
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        tls.accept(stream, LONG).await
    };
    let (client, _server) = soon(async { tokio::join!(client, server) }).await;
    let client = client?;
    let (_, session) = client.get_ref();
    let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
    Some((protocol, session.peer_certificates().unwrap()[0].clone().into_owned()))
}

/// What a client offers, and what is chosen.
type Case = (&'static [&'static [u8]], Option<&'static [u8]>);

#[tokio::test]
async fn the_protocol_is_chosen_by_alpn() {
    let Files { paths: files, certificate, folder: _folder } = files();
    let tls = Tls::load(&files).unwrap();
    let cases: [Case; 4] = [
        (&[b"h2", b"http/1.1"], Some(b"h2")),
        (&[b"http/1.1", b"h2"], Some(b"h2")),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ];
    for (offered, chosen) in cases {
        let (protocol, _) = shake(&tls, &certificate, offered).await.unwrap();
        assert_eq!(protocol.as_deref(), chosen);
    }
    assert!(shake(&tls, &certificate, &[b"spdy/3"]).await.is_none());
}

#[tokio::test]
async fn a_new_pair_is_shown_and_half_a_pair_is_not() {
    let Files { paths: files, certificate, folder: _folder } = files();
    let tls = Tls::load(&files).unwrap();
    let new = renew(&files);
    tls.reload(&files).unwrap();
    assert_eq!(shake(&tls, &new, &[]).await.unwrap().1, new);
    assert!(shake(&tls, &certificate, &[]).await.is_none());
    // A certificate with the key of another: what a reload in the middle of a renewal finds.
    let key = std::fs::read(&files.key.value).unwrap();
    renew(&files);
    std::fs::write(&files.key.value, key).unwrap();
    let problem = tls.reload(&files).unwrap_err();
    assert_eq!(problem.at.key, "server.tls.key");
    assert_eq!(shake(&tls, &new, &[]).await.unwrap().1, new);
}

#[test]
fn files_that_are_missing_or_hold_something_else() {
    let Files { paths: files, folder, .. } = files();
    let missing = |name: &str| folder.path().join(name);
    let broken = [
        ("server.tls.cert", missing("none"), files.key.value.clone()),
        ("server.tls.key", files.cert.value.clone(), missing("none")),
        ("server.tls.cert", files.key.value.clone(), files.key.value.clone()),
        ("server.tls.key", files.cert.value.clone(), files.cert.value.clone()),
    ];
    for (key, cert, private) in broken {
        let located = |value: PathBuf, at: &Location| Located { value, at: at.clone() };
        let files = ServerTls {
            cert: located(cert, &files.cert.at),
            key: located(private, &files.key.at),
            clients: None,
        };
        let problem = Tls::load(&files).err().unwrap();
        assert_eq!(problem.at.key, key, "{}", problem.message);
        assert!(problem.help.is_some());
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends() {
    let Files { paths: files, folder: _folder, .. } = files();
    let tls = Tls::load(&files).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert!(soon(tls.accept(stream, SHORT)).await.is_none());
}
