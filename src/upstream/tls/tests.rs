//! Files that are missing, empty or do not fit; equality by content.

use super::*;

fn written(directory: &tempfile::TempDir, name: &str, content: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn identity() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["shop.internal".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn the_same_content_is_the_same_identity() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = identity();
    let files = |name: &str| TlsFiles {
        ca: Some(written(&directory, &format!("{name}.ca"), &cert)),
        cert: Some(written(&directory, &format!("{name}.crt"), &cert)),
        key: Some(written(&directory, &format!("{name}.key"), &key)),
        server_name: Some("shop.internal".into()),
    };
    let one = Tls::load(&files("one")).unwrap();
    let two = Tls::load(&files("two")).unwrap();
    assert_eq!(one, two);
    let (other, _) = identity();
    let changed = TlsFiles { ca: Some(written(&directory, "new.ca", &other)), ..files("one") };
    assert_ne!(one, Tls::load(&changed).unwrap());
    assert_eq!(one.config.alpn_protocols, [b"h2"]);
}

#[test]
fn every_mistake_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = identity();
    let cert = written(&directory, "a.crt", &cert);
    let key = written(&directory, "a.key", &key);
    let empty = written(&directory, "empty", "");
    let ca = Some(cert.clone());
    let cases = [
        (
            TlsFiles { ca: Some("/nonexistent.pem".into()), ..TlsFiles::default() },
            "cannot read /nonexistent.pem",
        ),
        (TlsFiles { ca: Some(empty.clone()), ..TlsFiles::default() }, "is no usable PEM file"),
        (TlsFiles { ca: ca.clone(), cert: Some(cert.clone()), ..TlsFiles::default() }, "needs both"),
        (TlsFiles { ca: ca.clone(), key: Some(key.clone()), ..TlsFiles::default() }, "needs both"),
        (
            TlsFiles { ca: ca.clone(), cert: Some(cert), key: Some(empty), ..TlsFiles::default() },
            "is no usable PEM file",
        ),
        (TlsFiles { ca, server_name: Some("a b".into()), ..TlsFiles::default() }, "`a b` is neither"),
    ];
    for (files, expected) in cases {
        let error = Tls::load(&files).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
