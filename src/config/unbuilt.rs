//! The keys of the vocabulary that Transom does not act on yet: each is an error that says so.
//!
//! When one is built, its line here goes and a reader of it appears. Look here, too, for which tables
//! there are.

/// The tables of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Root,
    Server,
    ServerTls,
    Admin,
    Schema,
    Upstreams,
    Upstream,
    UpstreamTls,
    Health,
    Balance,
    Endpoint,
    Defaults,
    SelectorPolicy,
    Route,
    /// One of `additional_bindings`.
    Binding,
    CustomPattern,
    Limits,
    Retry,
    Hedge,
    Compression,
    Resume,
    Json,
    Query,
    Sse,
    WebSocket,
    Auths,
    Auth,
    Claims,
    Require,
    Cors,
    Metadata,
    RateLimit,
    /// A table whose keys are names of the user's.
    Named,
}

/// Policy keys, which every table that holds policy keys has.
const UNBUILT_POLICY: &[&str] = &["headers"];

/// Policy keys that are built; told to those who put one elsewhere.
const POLICY: &[&str] = &[
    "timeout",
    "limits",
    "retry",
    "hedge",
    "compression",
    "resume",
    "stream",
    "stream_headers_after",
    "sse",
    "websocket",
    "metadata",
    "json",
    "query",
    "forms",
    "auth",
    "require",
    "cors",
    "rate_limit",
];

/// Whether a key belongs to the vocabulary but is not acted on yet.
pub(super) fn is_unbuilt(shape: Shape, key: &str) -> bool {
    shape.holds_policy() && UNBUILT_POLICY.contains(&key)
}

/// Where a key belongs that stands in the wrong table.
pub(super) fn home(key: &str) -> Option<&'static str> {
    let is_policy = POLICY.contains(&key) || UNBUILT_POLICY.contains(&key);
    is_policy.then_some("[defaults], [[policies]], [upstreams.NAME] and [[routes]]")
}

impl Shape {
    fn holds_policy(self) -> bool {
        matches!(self, Self::Defaults | Self::SelectorPolicy | Self::Upstream | Self::Route)
    }
}
