//! [`Call`], [`Reply`] and [`Caller`]: the only types in which the front and the back meet.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use http::HeaderValue;
use http::uri::PathAndQuery;
use tower::Service;

use super::{Attempt, CallPolicy, Deadline, Metadata, Status};

/// An encoded message: protobuf bytes, compressed or not. Nothing between the adapters reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub bytes: Bytes,
    /// Whether `bytes` are compressed by the call's `grpc-encoding`.
    pub compressed: bool,
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, compressed: false }
    }
}

/// The name of a method on the wire, `/package.Service/Method`; cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method(PathAndQuery);

impl Method {
    /// A method by its path.
    ///
    /// # Errors
    /// When the path cannot stand in a request, which names from descriptors always can.
    pub fn new(path: &str) -> Result<Self, http::uri::InvalidUri> {
        PathAndQuery::try_from(path).map(Self)
    }

    /// The path, with its leading slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The path, ready for a request.
    #[must_use]
    pub const fn path_and_query(&self) -> &PathAndQuery {
        &self.0
    }
}

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Unary,
    ServerStreaming,
    ClientStreaming,
    Bidi,
}

impl Kind {
    /// The kind of a method by its two `stream` keywords.
    #[must_use]
    pub const fn new(client_streaming: bool, server_streaming: bool) -> Self {
        match (client_streaming, server_streaming) {
            (false, false) => Self::Unary,
            (false, true) => Self::ServerStreaming,
            (true, false) => Self::ClientStreaming,
            (true, true) => Self::Bidi,
        }
    }

    /// Whether the client sends any number of messages.
    #[must_use]
    pub const fn client_streams(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidi)
    }

    /// Whether the server sends any number of messages.
    #[must_use]
    pub const fn server_streams(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidi)
    }

    /// The word that stands in tables and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server streaming",
            Self::ClientStreaming => "client streaming",
            Self::Bidi => "bidi",
        }
    }
}

/// The messages of a client.
pub enum Messages {
    /// Exactly one, which a retry can send again.
    One(Message),
    /// Any number, as they arrive.
    Stream(Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>),
}

/// Everything that a client can say.
pub struct Call {
    pub method: Method,
    pub kind: Kind,
    /// Whether it does no harm to send the call twice.
    pub idempotent: bool,
    /// The key by which calls stay together on one endpoint, where the upstream balances by hash.
    pub affinity: Option<u64>,
    pub policy: Arc<CallPolicy>,
    pub metadata: Metadata,
    pub deadline: Option<Deadline>,
    /// `grpc-encoding` of compressed messages.
    pub encoding: Option<HeaderValue>,
    /// `grpc-accept-encoding`: how the answer may be compressed.
    pub accept_encoding: Option<HeaderValue>,
    pub messages: Messages,
    /// Which of several attempts this is; the default unless a layer makes several.
    pub attempt: Attempt,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("method", &self.method).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A piece of a [`ReplyStream`].
#[derive(Debug)]
pub enum Frame {
    /// The next message.
    Message(Message),
    /// The call has ended well; nothing follows.
    Trailers(Metadata),
}

/// The messages of an upstream, then [`Frame::Trailers`] or the error that ended the call.
pub type ReplyStream = Pin<Box<dyn Stream<Item = Result<Frame, Status>> + Send>>;

/// Everything that an upstream can answer, once it answers at all.
///
/// Dropping it before its end cancels the call.
pub struct Reply {
    pub metadata: Metadata,
    /// `grpc-encoding` of compressed messages.
    pub encoding: Option<HeaderValue>,
    pub frames: ReplyStream,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// Whoever answers calls: the pool, a layer around it, a stand-in in tests.
pub trait Caller:
    Service<Call, Response = Reply, Error = Status, Future: Future<Output = Result<Reply, Status>> + Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Caller for T where
    T: Service<Call, Response = Reply, Error = Status, Future: Future<Output = Result<Reply, Status>> + Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}
