//! The limits and timers of a client's connection, in one place.
//!
//! They are safe for the open internet as they stand; tests shorten them.

use std::time::Duration;

const STREAMS: u32 = 250;
const STREAM_WINDOW: u32 = 64 * 1024 - 1;

/// What a client may use, and how long it may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request target: 414 beyond.
    pub target: usize,
    /// Bytes of a request head: 431 beyond. HTTP/2 counts as RFC 9113 §6.5.2 says.
    pub head: u32,
    /// Header lines of a request: 431 beyond. Over HTTP/1.1 the parser's own limit, which is the same.
    pub headers: usize,
    /// Connections of the whole process, or four fifths of the files that it may open, whichever is
    /// less; each worker has its share, and more wait in the kernel's queue.
    pub connections: usize,
    /// From accepting to the first bytes that tell the protocol (the whole preface for HTTP/2).
    pub first_bytes: Duration,
    /// The same for connections that are still silent when the process drains.
    pub first_bytes_draining: Duration,
    /// Of the TLS handshake.
    pub handshake: Duration,
    /// From a head's first byte to its last, over HTTP/1.1.
    pub head_time: Duration,
    /// Between two requests over HTTP/1.1; longer than the 60 s of common load balancers, which would
    /// else send into a closing connection.
    pub idle_http1: Duration,
    /// Without any stream over HTTP/2.
    pub idle_http2: Duration,
    /// Without one byte written while bytes wait to be written.
    pub write_stall: Duration,
    /// Between pings on HTTP/2, and how long their answer may take.
    pub ping: Duration,
    pub pong: Duration,
    /// Concurrent streams of one HTTP/2 connection.
    pub streams: u32,
    /// Bytes that one stream may send ahead of its reader.
    pub stream_window: u32,
    /// Bytes that one connection may send ahead of its readers; less than all its streams may would let those
    /// whose readers wait stop the others.
    pub connection_window: u32,
    /// Bytes buffered towards one HTTP/2 stream.
    pub send_buffer: usize,
    /// Streams reset by the client that may wait to be accepted (rapid reset, CVE-2023-44487).
    pub pending_resets: usize,
    /// Streams that the client may make the server reset (CVE-2025-8671).
    pub local_resets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target: 8 * 1024,
            head: 32 * 1024,
            headers: 100,
            connections: 50_000,
            first_bytes: Duration::from_secs(10),
            first_bytes_draining: Duration::from_secs(1),
            handshake: Duration::from_secs(10),
            head_time: Duration::from_secs(10),
            idle_http1: Duration::from_secs(75),
            idle_http2: Duration::from_secs(300),
            write_stall: Duration::from_secs(30),
            ping: Duration::from_secs(30),
            pong: Duration::from_secs(10),
            streams: STREAMS,
            stream_window: STREAM_WINDOW,
            connection_window: STREAMS * STREAM_WINDOW,
            send_buffer: 64 * 1024,
            pending_resets: 20,
            local_resets: 128,
        }
    }
}
