//! HTTP/2 by hand, for what the `h2` crate's server would never do.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::upstream::PATIENCE;

/// Types of frames (RFC 9113 §6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

/// RFC 7541: `:status 200` is entry 8 of the static table, `content-type` is entry 31; its value has 16 bytes.
const HEAD: [u8; 4] = [0x88, 0x0f, 0x10, 16];

const PREFACE: usize = 24;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether it answers a PING or SETTINGS.
    pub fn is_ack(&self) -> bool {
        self.flags & ACK != 0
    }
}

/// The server's side of a connection.
pub struct Peer(TcpStream);

impl Peer {
    /// Takes the next connection, and exchanges preface and SETTINGS.
    pub async fn accept(listener: &TcpListener) -> Self {
        let (socket, _) = timeout(PATIENCE, listener.accept()).await.expect("the client connects").unwrap();
        socket.set_nodelay(true).unwrap();
        let mut peer = Self(socket);
        peer.0.read_exact(&mut [0; PREFACE]).await.unwrap();
        peer.send(SETTINGS, 0, 0, &[]).await;
        peer
    }

    /// The next frame; SETTINGS are acknowledged on the way.
    pub async fn next(&mut self) -> Frame {
        loop {
            let frame = timeout(PATIENCE, self.read()).await.expect("a frame arrives");
            if frame.kind != SETTINGS {
                return frame;
            }
            if !frame.is_ack() {
                self.send(SETTINGS, ACK, 0, &[]).await;
            }
        }
    }

    /// The next frame of a kind; others are skipped.
    pub async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await;
            if frame.kind == kind {
                return frame;
            }
        }
    }

    async fn read(&mut self) -> Frame {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.unwrap();
        Frame { kind: head[3], flags: head[4], stream, payload }
    }

    /// Sends a frame.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        assert!(self.try_send(kind, flags, stream, payload).await, "the client takes it");
    }

    /// Sends a frame; whether the connection still stands.
    pub async fn try_send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.0.write_all(&frame(kind, flags, stream, payload)).await.is_ok()
    }

    /// Ends a call with a status before its client has ended, and tells the client to stop, all at once
    /// (RFC 9113 §8.1).
    pub async fn stop(&mut self, stream: u32, status: u8) {
        let head = [&HEAD[..], b"application/grpc"].concat();
        let trailers = [&[0, 11][..], b"grpc-status", &[1, b'0' + status]].concat();
        let frames = [
            frame(HEADERS, END_HEADERS, stream, &head),
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &trailers),
            frame(RST_STREAM, 0, stream, &[0; 4]),
        ];
        self.0.write_all(&frames.concat()).await.unwrap();
    }

    /// Whether the client ends the connection within a moment.
    pub async fn ended(&mut self) -> bool {
        let mut byte = [0];
        let peeked = timeout(Duration::from_millis(200), self.0.peek(&mut byte)).await;
        matches!(peeked, Ok(Ok(0) | Err(_)))
    }

    /// Answers a PING.
    pub async fn pong(&mut self, ping: &Frame) {
        self.send(PING, ACK, 0, &ping.payload).await;
    }

    /// Sends GOAWAY.
    pub async fn go_away(&mut self, last: u32, error: u32, text: &str) {
        let payload = [&last.to_be_bytes()[..], &error.to_be_bytes(), text.as_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload).await;
    }

    /// Sends the head of an answer.
    pub async fn head(&mut self, stream: u32) {
        let head = [&HEAD[..], b"application/grpc"].concat();
        self.send(HEADERS, END_HEADERS, stream, &head).await;
    }

    /// Answers a unary call well.
    pub async fn reply(&mut self, stream: u32, message: &str) {
        self.head(stream).await;
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let body = [&[0][..], &length, message.as_bytes()].concat();
        self.send(DATA, 0, stream, &body).await;
        let trailers = [&[0, 11][..], b"grpc-status", &[1], b"0"].concat();
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &trailers).await;
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
