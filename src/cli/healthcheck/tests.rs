//! Tests of the health check against listeners that answer, refuse and stay silent.

use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;

/// Answers one request; gives back what was asked.
fn answering(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            bytes.extend(byte);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(bytes).unwrap()
    });
    (address, asked)
}

#[test]
fn the_status_is_what_was_answered() {
    let (address, asked) = answering("HTTP/1.1 503 Service Unavailable\r\n\r\n");
    assert_eq!(ask(&[address], None, "/readyz").unwrap(), 503);
    let expected = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert_eq!(asked.join().unwrap(), expected);
}

#[test]
fn a_url_is_asked_by_its_own_name_and_path() {
    let (address, asked) = answering("HTTP/1.0 200 OK\r\n\r\n");
    let url = format!("http://localhost:{}/x?y", address.port()).parse().unwrap();
    assert_eq!(ask_url(&url).unwrap(), 200);
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("GET /x?y HTTP/1.1\r\nHost: localhost:"), "{asked}");
}

#[test]
fn what_is_no_answer_is_an_error() {
    for answer in ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1", "HTTP/1.1 abc\r\n\r\n"] {
        let (address, asked) = answering(answer);
        assert!(ask(&[address], None, "/").is_err(), "{answer}");
        asked.join().unwrap();
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    assert!(ask(&[free], None, "/").is_err());
    assert!(ask(&[], None, "/").is_err());
    for url in ["https://localhost/", "/readyz"] {
        assert!(ask_url(&url.parse().unwrap()).is_err(), "{url}");
    }
}

#[test]
fn a_wildcard_is_asked_on_loopback() {
    for (listens, asked) in
        [("0.0.0.0:9901", "127.0.0.1:9901"), ("[::]:9901", "[::1]:9901"), ("10.0.0.1:9901", "10.0.0.1:9901")]
    {
        assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
    }
}
