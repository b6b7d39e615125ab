//! Policy keys: what each level says, and what holds for one method in the end.
//!
//! Look here for a policy key's type and default, and for which level wins. The nearest level wins, key
//! by key and sub-key by sub-key: a route, then `[[policies]]` by how specific their selectors are, then
//! the upstream, then `[defaults]`, then the default in this module. Which levels apply to a method is
//! said by [`Config::levels`]; what a value does is not known here.

mod access;
mod compression;
mod cookie;
mod cors;
mod event;
mod group;
mod headers;
mod hedge;
mod metadata;
mod rate_limit;
mod resume;
mod retry;
mod success;
mod value;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::auth::Reference;
use super::model::{Config, Route, Upstream};
use super::problem::{Located, Location};
use super::table::Table;
use access::RequireKeys;
pub use access::{AuthChoice, Claims, Require};
use compression::CompressionKeys;
pub use compression::{Compression, RequestCompression};
pub use cookie::CookieName;
use cors::CorsKeys;
pub use cors::{Cors, OriginPattern, Origins, ReadNames, SentNames};
pub use event::{EventField, EventName};
use group::group;
pub use headers::{HeaderEdits, HeaderKeys, HeaderSource, Headers};
pub use hedge::Hedge;
use hedge::HedgeChoice;
use metadata::MetadataKeys;
pub use metadata::{Fixed, FixedValue, Metadata, Names, Profile};
use rate_limit::RateLimitKeys;
pub use rate_limit::{LimitKey, RateLimit};
use resume::ResumeKeys;
pub use resume::{FieldName, Resume};
use retry::RetryChoice;
pub use retry::{Idempotent, Retry};
use success::SuccessKeys;
pub use success::{EmptyForm, LocationPart, LocationTemplate, Success};
use value::PolicyValue;
pub use value::{
    Count, DefaultValues, EnumCase, EnumForm, EnumPrefix, FieldNames, Int64Form, Interval, StreamForm,
    Timeout, Unknown,
};

/// A level of policy keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// One of `[[routes]]`.
    Route,
    /// One of `[[policies]]`.
    Selector,
    /// `[upstreams.NAME]`.
    Upstream,
    #[default]
    Defaults,
}

/// Policy keys of one level; what is `None` is decided by the level behind it.
#[derive(Clone, Debug, Default)]
pub struct PolicyKeys {
    pub level: Level,
    /// What the level is called, however its file changes: its table, and what that is for.
    pub scope: Arc<str>,
    pub timeout: Option<Located<Timeout>>,
    pub stream: Option<Located<StreamForm>>,
    pub stream_headers_after: Option<Located<Duration>>,
    pub limits: LimitKeys,
    pub retry: RetryChoice,
    pub hedge: HedgeChoice,
    pub compression: CompressionKeys,
    pub resume: ResumeKeys,
    pub json: JsonKeys,
    pub query: QueryKeys,
    pub forms: Option<Located<bool>>,
    pub sse: SseKeys,
    pub websocket: WebSocketKeys,
    pub metadata: MetadataKeys,
    pub auth: Option<Located<AuthChoice>>,
    pub require: RequireKeys,
    pub cors: CorsKeys,
    pub rate_limit: RateLimitKeys,
    pub headers: HeaderKeys,
    pub success: SuccessKeys,
}

/// The policy of one method (or of one route to it), every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Of a whole unary call.
    pub timeout: Timeout,
    /// Of a whole streaming call: none unless a route says so.
    pub stream_timeout: Timeout,
    /// How a stream of messages is written for those who speak JSON.
    pub stream: StreamForm,
    /// How long a stream's status line waits for the first message.
    pub stream_headers_after: Duration,
    pub limits: Limits,
    /// How calls are sent again; `None`: not at all.
    pub retry: Option<Retry>,
    /// How slow calls are sent further times; `None`: not at all.
    pub hedge: Option<Hedge>,
    /// Of messages between the gateway and its upstreams.
    pub compression: Compression,
    /// How streams go on after their upstream died; `None`: not at all.
    pub resume: Option<Resume>,
    pub json: Json,
    pub query: Query,
    /// Whether bodies may be HTML forms.
    pub forms: bool,
    pub sse: Sse,
    pub websocket: WebSocket,
    /// Which headers pass as metadata and back.
    pub metadata: Metadata,
    /// Who is asked who the caller is.
    pub auth: AuthChoice,
    pub require: Require,
    /// Which pages of other origins may call.
    pub cors: Cors,
    /// How often somebody may call.
    pub rate_limit: RateLimit,
    /// What is added to and taken from calls and answers.
    pub headers: Headers,
    /// What answers that went well say besides their content.
    pub success: Success,
}

group! {
    /// `limits`: how much a call may bring.
    LimitKeys => Limits {
        /// Bytes of a request body that is not streamed.
        body: usize = 4 << 20;
        /// Bytes of one message, both ways.
        message: usize = 4 << 20;
        /// Unary calls that the upstream may have in flight when another is let in.
        in_flight: Count = Count(1024);
        /// Streaming calls that the upstream may have in flight when another is let in.
        streams: Count = Count(10_000);
        /// How long a stream may be without a message, either way.
        idle: Timeout = Timeout::None;
        /// How old a stream may become.
        age: Timeout = Timeout::None;
    }
}

group! {
    /// `json`: how messages are written and read as JSON.
    JsonKeys => Json {
        /// How 64-bit integers are written.
        int64: Int64Form = Int64Form::String;
        /// How enum values are written.
        enums: EnumForm = EnumForm::Name;
        /// Which names of fields are written; both are read.
        names: FieldNames = FieldNames::Json;
        /// Whether fields are written that have their default value.
        defaults: DefaultValues = DefaultValues::Omit;
        /// What becomes of a field that the message does not have.
        unknown_fields: Unknown = Unknown::Reject;
        /// Whether upper and lower case matter in the names of enum values that are read.
        enum_case: EnumCase = EnumCase::Exact;
        /// Whether names of enum values are written with the prefix that they share.
        enum_prefix: EnumPrefix = EnumPrefix::Keep;
        /// Whether a message of a stream is wrapped as `{"result": …}`, as grpc-gateway does.
        envelope: bool = false;
        /// Whether `?$fields=` selects the fields of an answer.
        fields: bool = false;
    }
}

group! {
    /// `query`: the parameters of a request's URL.
    QueryKeys => Query {
        /// What becomes of a parameter that names no field.
        unknown: Unknown = Unknown::Reject;
        /// Parameters that are passed over, whatever `unknown` says.
        ignore: Vec<String> = Vec::new();
    }
}

group! {
    /// `sse`: server-sent events.
    SseKeys => Sse {
        /// After how long without an event a comment is sent, so that nobody takes the stream for dead.
        heartbeat: Interval = Interval(Duration::from_secs(15));
        /// After how long a browser connects again; `retry:` in the stream.
        retry: Duration = Duration::from_secs(2);
        /// The name of every event that carries a message; `"message"` is what events without a name are.
        event: EventName = EventName::default();
        /// The field of the answer that names its event, where it says something.
        event_field: EventField = EventField::default();
    }
}

group! {
    /// `websocket`: calls over WebSocket.
    WebSocketKeys => WebSocket {
        /// Bytes of one message of a client.
        message: usize = 1 << 20;
        /// Bytes of one frame of a client; a message may come in any number of them.
        frame: usize = 256 << 10;
        /// After how long without a sign of the client it is pinged; as long again has it to answer.
        idle_ping: Interval = Interval(Duration::from_secs(20));
        /// Origins of pages that may connect, besides those of the gateway's own host.
        origins: Origins = Origins::default();
        /// The cookie whose value counts as the caller's token, where the request says its origin.
        cookie: CookieName = CookieName::default();
    }
}

/// What one policy key is in the end, for `transom explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Such as `limits.body`.
    pub key: String,
    /// As it is written in a file.
    pub value: String,
    /// Where it is set; `None` for a default.
    pub at: Option<Location>,
}

const DEFAULT_TIMEOUT: Timeout = Timeout::After(Duration::from_secs(15));
const DEFAULT_HEADERS_AFTER: Duration = Duration::from_millis(250);

/// The policy that levels make together, the nearest level first.
#[must_use]
pub fn resolve(levels: &[&PolicyKeys]) -> Policy {
    Policy {
        timeout: nearest(levels, |keys| &keys.timeout).map_or(DEFAULT_TIMEOUT, |timeout| timeout.value),
        stream_timeout: stream_timeout(levels).map_or(Timeout::None, |timeout| timeout.value),
        stream: nearest(levels, |keys| &keys.stream).map_or(StreamForm::Auto, |stream| stream.value),
        stream_headers_after: nearest(levels, |keys| &keys.stream_headers_after)
            .map_or(DEFAULT_HEADERS_AFTER, |after| after.value),
        limits: Limits::resolve(levels, |keys| &keys.limits),
        retry: retry::resolve(levels),
        hedge: hedge::resolve(levels),
        compression: Compression::resolve(levels, |keys| &keys.compression),
        resume: resume::resolve(levels),
        json: Json::resolve(levels, |keys| &keys.json),
        query: Query::resolve(levels, |keys| &keys.query),
        forms: nearest(levels, |keys| &keys.forms).is_some_and(|forms| forms.value),
        sse: Sse::resolve(levels, |keys| &keys.sse),
        websocket: WebSocket::resolve(levels, |keys| &keys.websocket),
        metadata: Metadata::resolve(levels, |keys| &keys.metadata),
        auth: nearest(levels, |keys| &keys.auth).map_or(AuthChoice::None, |auth| auth.value.clone()),
        require: Require::resolve(levels, |keys| &keys.require),
        cors: Cors::resolve(levels, |keys| &keys.cors),
        rate_limit: RateLimit::resolve(levels, |keys| &keys.rate_limit),
        headers: Headers::resolve(levels),
        success: Success::resolve(levels, |keys| &keys.success),
    }
}

/// What each policy key is and where it is set, the nearest level first.
#[must_use]
pub fn effective(levels: &[&PolicyKeys]) -> Vec<Effective> {
    let policy = resolve(levels);
    let mut rows = vec![
        row("timeout", &policy.timeout, nearest(levels, |keys| &keys.timeout)),
        row("timeout (streams)", &policy.stream_timeout, stream_timeout(levels)),
        row("stream", &policy.stream, nearest(levels, |keys| &keys.stream)),
        row(
            "stream_headers_after",
            &policy.stream_headers_after,
            nearest(levels, |keys| &keys.stream_headers_after),
        ),
    ];
    rows.extend(policy.limits.effective("limits", levels, |keys| &keys.limits));
    rows.extend(retry::effective(policy.retry.as_ref(), levels));
    rows.extend(hedge::effective(policy.hedge.as_ref(), levels));
    rows.extend(policy.compression.effective("compression", levels, |keys| &keys.compression));
    rows.extend(resume::effective(policy.resume.as_ref(), levels));
    rows.extend(policy.json.effective("json", levels, |keys| &keys.json));
    rows.extend(policy.query.effective("query", levels, |keys| &keys.query));
    rows.push(row("forms", &policy.forms, nearest(levels, |keys| &keys.forms)));
    rows.extend(policy.sse.effective("sse", levels, |keys| &keys.sse));
    rows.extend(policy.websocket.effective("websocket", levels, |keys| &keys.websocket));
    rows.extend(policy.metadata.effective("metadata", levels, |keys| &keys.metadata));
    rows.push(row("auth", &policy.auth, nearest(levels, |keys| &keys.auth)));
    rows.extend(policy.require.effective("require", levels, |keys| &keys.require));
    rows.extend(policy.cors.effective("cors", levels, |keys| &keys.cors));
    rows.extend(policy.rate_limit.effective("rate_limit", levels, |keys| &keys.rate_limit));
    rows.extend(headers::effective(levels));
    rows.extend(policy.success.effective("success", levels, |keys| &keys.success));
    rows
}

/// Where the levels say who is asked who a caller is, if any of them does.
#[must_use]
pub fn auth_statement<'k>(levels: &[&'k PolicyKeys]) -> Option<&'k Located<AuthChoice>> {
    nearest(levels, |keys| &keys.auth)
}

/// The scope of the level that sets the rate of `rate_limit`, if one does.
#[must_use]
pub fn rate_scope(levels: &[&PolicyKeys]) -> Option<Arc<str>> {
    let setting = levels.iter().find(|keys| keys.rate_limit.rate.is_some())?;
    Some(Arc::clone(&setting.scope))
}

/// Where `success.location` is set, if it is.
#[must_use]
pub fn location_at(levels: &[&PolicyKeys]) -> Option<Location> {
    nearest(levels, |keys| &keys.success.location).map(|location| location.at.clone())
}

/// Where credentials are allowed to pages of any origin, if the levels do so.
#[must_use]
pub fn open_credentials(levels: &[&PolicyKeys]) -> Option<Location> {
    let is_true = |credentials: &&Located<bool>| credentials.value;
    let credentials = nearest(levels, |keys| &keys.cors.credentials).filter(is_true)?;
    let origins = nearest(levels, |keys| &keys.cors.origins)?;
    origins.value.0.contains(&OriginPattern::Any).then(|| credentials.at.clone())
}

fn nearest<'k, T>(
    levels: &[&'k PolicyKeys],
    of: impl Fn(&'k PolicyKeys) -> &'k Option<Located<T>>,
) -> Option<&'k Located<T>> {
    levels.iter().find_map(|keys| of(keys).as_ref())
}

/// A stream has no timeout unless a route sets it: the timeout of a service's unary calls would end its
/// streams.
fn stream_timeout<'k>(levels: &[&'k PolicyKeys]) -> Option<&'k Located<Timeout>> {
    levels.iter().filter(|keys| keys.level == Level::Route).find_map(|keys| keys.timeout.as_ref())
}

fn row<T: PolicyValue>(key: impl Into<String>, value: &T, set: Option<&Located<T>>) -> Effective {
    Effective { key: key.into(), value: value.show(), at: set.map(|located| located.at.clone()) }
}

impl Default for Policy {
    fn default() -> Self {
        resolve(&[])
    }
}

impl PolicyKeys {
    /// Reads the policy keys that stand among other keys of a table.
    pub(super) fn read(table: &mut Table<'_>, level: Level, scope: String) -> Self {
        Self {
            level,
            scope: scope.into(),
            timeout: table.located("timeout", Timeout::read),
            stream: table.located("stream", StreamForm::read),
            stream_headers_after: table.located("stream_headers_after", Duration::read),
            limits: LimitKeys::read(table, "limits"),
            retry: RetryChoice::read(table),
            hedge: HedgeChoice::read(table),
            compression: CompressionKeys::read(table, "compression"),
            resume: ResumeKeys::read(table),
            json: JsonKeys::read(table, "json"),
            query: QueryKeys::read(table, "query"),
            forms: table.located("forms", bool::read),
            sse: SseKeys::read(table, "sse"),
            websocket: WebSocketKeys::read(table, "websocket"),
            metadata: MetadataKeys::read(table, "metadata"),
            auth: table.located("auth", AuthChoice::read),
            require: RequireKeys::read(table, "require"),
            cors: CorsKeys::read(table, "cors"),
            rate_limit: RateLimitKeys::read(table, "rate_limit"),
            headers: HeaderKeys::read(table),
            success: SuccessKeys::read(table, "success"),
        }
    }
}

impl Config {
    /// The policy keys of every level.
    fn all_levels(&self) -> impl Iterator<Item = &PolicyKeys> {
        let upstreams = self.upstreams.iter().map(|upstream| &upstream.policy);
        let policies = self.policies.iter().map(|policy| &policy.policy);
        let routes = self.routes.iter().map(|route| &route.policy);
        [&self.defaults].into_iter().chain(upstreams).chain(policies).chain(routes)
    }

    /// What policy keys of any level have to be read from elsewhere.
    pub fn policy_references(&self) -> impl Iterator<Item = &Located<Reference>> {
        self.all_levels().flat_map(|keys| {
            let fixed = keys.metadata.set.iter().flat_map(|set| set.value.references());
            fixed.chain(keys.headers.references())
        })
    }

    /// Names of metadata that the configuration gives to calls of any level.
    pub fn given_metadata(&self) -> impl Iterator<Item = &HeaderName> {
        self.all_levels().flat_map(|keys| {
            let fixed = keys.metadata.set.iter().flat_map(|set| set.value.0.iter().map(|(name, _)| name));
            fixed.chain(keys.headers.written())
        })
    }

    /// The levels of policy keys of a method, given by its full name (`pkg.Service.Method`), the nearest
    /// first.
    #[must_use]
    pub fn levels<'c>(
        &'c self,
        method: &str,
        upstream: Option<&'c Upstream>,
        route: Option<&'c Route>,
    ) -> Vec<&'c PolicyKeys> {
        let mut selected: Vec<_> =
            self.policies.iter().filter(|p| p.selector.value.matches(method)).collect();
        selected.sort_by_key(|policy| std::cmp::Reverse(policy.selector.value.specificity()));
        let route = route.map(|route| &route.policy);
        let selected = selected.into_iter().map(|policy| &policy.policy);
        let upstream = upstream.map(|upstream| &upstream.policy);
        route.into_iter().chain(selected).chain(upstream).chain([&self.defaults]).collect()
    }
}

#[cfg(test)]
mod tests;
