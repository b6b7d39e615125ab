//! Issuers that answer badly, slowly, too much, or from elsewhere.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers every connection with these bytes, and keeps it open when `hold`.
async fn answering(answer: Vec<u8>, hold: bool) -> Fetch {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let length = socket.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                assert!(request.starts_with("GET /keys?a=b HTTP/1.1\r\nhost: localhost:"), "{request}");
                // Whoever gives up on the answer closes the socket.
                drop(socket.write_all(&answer).await);
                if hold {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    Fetch::new(&format!("http://localhost:{port}/keys?a=b").parse().unwrap(), None).unwrap()
}

async fn fails(answer: &str, hold: bool) -> String {
    answering(answer.as_bytes().to_vec(), hold).await.get().await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_document_comes_with_its_freshness() {
    let answer = "HTTP/1.1 200 OK\r\ncache-control: public, Max-Age=120\r\ncontent-length: 2\r\n\r\n{}";
    let document = answering(answer.into(), true).await.get().await.unwrap();
    assert_eq!((&document.body[..], document.max_age), (&b"{}"[..], Some(Duration::from_mins(2))));
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(answering(answer.into(), true).await.get().await.unwrap().max_age, None);
    // Until the end of the connection (RFC 9112 §6.3).
    assert_eq!(answering("HTTP/1.0 200 OK\r\n\r\n{}".into(), false).await.get().await.unwrap().body, "{}");
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(fails(redirect, true).await, "it answered with a redirect (302), which is not followed");
    let broken = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(fails(broken, true).await, "it answered with status 500");
    let encoded = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(fails(encoded, true).await, "it answered with a Content-Encoding");
    for cut in ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "HTTP/1.1 200", ""] {
        fails(cut, false).await;
    }
    fails("SSH-2.0-OpenSSH_9.6\r\n", false).await;
}

#[tokio::test]
async fn a_document_without_end_is_cut() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n".to_vec();
    answer.resize(10 << 20, b' ');
    let error = answering(answer, true).await.get().await.unwrap_err().to_string();
    assert_eq!(error, "its answer cannot be read: length limit exceeded");
}

#[tokio::test]
async fn who_does_not_answer_is_left() {
    let error = fails("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", true).await;
    assert_eq!(error, "it did not answer within 5 seconds");
}

#[tokio::test]
async fn a_closed_port_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = Fetch::new(&url.parse().unwrap(), None).unwrap().get().await.unwrap_err();
    assert!(matches!(error, FetchError::Connect(_)), "{error}");
}
