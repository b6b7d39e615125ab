//! A WebSocket client by hand, over HTTP/1.1 and HTTP/2, that can send what no client should.

use std::net::SocketAddr;

use http::{Method, Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::upstream::PATIENCE;

/// Opcodes (RFC 6455 §5.2).
const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// An open socket.
pub struct Socket {
    io: TokioIo<Upgraded>,
    connection: std::net::TcpStream,
    pub subprotocol: Option<String>,
}

/// Opens a socket.
pub async fn open(address: SocketAddr, version: Version, target: &str, headers: &[(&str, &str)]) -> Socket {
    connect(address, version, target, headers).await.unwrap_or_else(|status| panic!("{target}: {status}"))
}

/// Tries to open a socket; the status of a refusal.
pub async fn connect(
    address: SocketAddr,
    version: Version,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Socket, StatusCode> {
    let stream = TcpStream::connect(address).await.unwrap().into_std().unwrap();
    let connection = stream.try_clone().unwrap();
    let io = TokioIo::new(TcpStream::from_std(stream).unwrap());
    let request = Request::builder().header("sec-websocket-version", "13");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = if version == Version::HTTP_2 {
        let (mut sender, serving) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(serving);
        let request = request
            .method(Method::CONNECT)
            .version(Version::HTTP_2)
            .extension(Protocol::from_static("websocket"))
            .uri(format!("http://{address}{target}"));
        // The server's SETTINGS say that it knows the method, and have to come first (RFC 8441 §3).
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap());
        timeout(PATIENCE, response).await.expect("an answer").unwrap()
    } else {
        let (mut sender, serving) = http1::handshake(io).await.unwrap();
        tokio::spawn(serving.with_upgrades());
        let request = request
            .uri(target)
            .header("host", address.to_string())
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap());
        timeout(PATIENCE, response).await.expect("an answer").unwrap()
    };
    let open = if version == Version::HTTP_2 { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
    if response.status() != open {
        return Err(response.status());
    }
    if version < Version::HTTP_2 {
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
    let subprotocol =
        response.headers().get("sec-websocket-protocol").map(|name| name.to_str().unwrap().to_owned());
    let io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    Ok(Socket { io, connection, subprotocol })
}

/// A frame of a client: `head` is FIN, the reserved bits and the opcode.
pub fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![head];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ ..0x1_0000 => {
            frame.push(0x80 | 0x7e);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 0x7f);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl Socket {
    /// Leaves as a process does that is killed: whatever it has not sent is lost.
    pub fn vanish(self) {
        self.connection.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// Sends bytes as they are.
    pub async fn raw(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
        self.io.flush().await.unwrap();
    }

    /// Sends a whole message of text.
    pub async fn text(&mut self, text: &str) {
        self.raw(&frame(0x80 | TEXT, text.as_bytes())).await;
    }

    /// Sends a whole binary message.
    pub async fn binary(&mut self, bytes: &[u8]) {
        self.raw(&frame(0x80 | BINARY, bytes)).await;
    }

    /// The next message or control frame: opcode and payload.
    pub async fn next(&mut self) -> (u8, Vec<u8>) {
        let (mut opcode, mut payload) = (CONTINUATION, Vec::new());
        loop {
            let (head, piece) = self.frame().await;
            assert_eq!(head & 0x70, 0, "no reserved bits");
            assert_eq!(head & 0x0f == CONTINUATION, opcode != CONTINUATION, "pieces follow each other");
            opcode = opcode.max(head & 0x0f);
            payload.extend(piece);
            if head & 0x80 != 0 {
                return (opcode, payload);
            }
        }
    }

    /// The next message or close frame; pings are answered, as every client does by itself.
    pub async fn message(&mut self) -> (u8, Vec<u8>) {
        loop {
            match self.next().await {
                (PING, payload) => self.raw(&frame(0x80 | PONG, &payload)).await,
                other => return other,
            }
        }
    }

    /// The next frame: its first byte and its payload. Servers do not mask.
    pub async fn frame(&mut self) -> (u8, Vec<u8>) {
        timeout(PATIENCE, self.read()).await.expect("a frame arrives").expect("the socket is open")
    }

    async fn read(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.io.read_exact(&mut head).await?;
        let length = match head[1] {
            126 => usize::from(self.io.read_u16().await?),
            127 => usize::try_from(self.io.read_u64().await?).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.io.read_exact(&mut payload).await?;
        Ok((head[0], payload))
    }

    /// The next frame, which is text.
    pub async fn next_text(&mut self) -> String {
        let (opcode, payload) = self.next().await;
        assert_eq!(opcode, TEXT, "{}", String::from_utf8_lossy(&payload));
        String::from_utf8(payload).unwrap()
    }

    /// The close frame that comes next: its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        let (opcode, payload) = self.next().await;
        assert_eq!(opcode, CLOSE, "{}", String::from_utf8_lossy(&payload));
        (u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8(payload[2..].to_vec()).unwrap())
    }

    /// Whatever text still comes, then the code of the close frame.
    pub async fn rest(&mut self) -> (Vec<String>, u16) {
        let mut texts = Vec::new();
        loop {
            let (opcode, payload) = self.message().await;
            match opcode {
                CLOSE => return (texts, u16::from_be_bytes([payload[0], payload[1]])),
                TEXT => texts.push(String::from_utf8(payload).unwrap()),
                other => panic!("opcode {other}"),
            }
        }
    }
}
