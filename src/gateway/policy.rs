//! The policy of each route, from the levels of the configuration to what adapters and pool act on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::HeaderName;

use crate::config::model::{Balance, Config, HashKey, Route, Upstream};
use crate::config::policy::{
    AuthChoice, DefaultValues, EnumCase, EnumForm, EnumPrefix, FieldName, FieldNames, HeaderEdits,
    HeaderSource, Hedge, Idempotent, Int64Form, Metadata, Policy, PolicyKeys, Profile, Resume, Retry,
    StreamForm, Success, Unknown, auth_statement, location_at, open_credentials, rate_scope, resolve,
};
use crate::config::problem::{Located, Location, Problem};
use crate::middleware::access::Access;
use crate::middleware::cors::Sharing;
use crate::middleware::headers::{Edit, Headers, Value};
use crate::middleware::rate_limit::RateLimit;
use crate::middleware::rate_limit::gcra::Limit;
use crate::middleware::routed::RoutePolicy;
use crate::protocol::LAST_EVENT_ID_PARAMETER;
use crate::protocol::target::{
    FIELDS, MetadataPolicy, SsePolicy, StreamFraming, TargetPolicy, WebSocketPolicy,
};
use crate::rpc::{CallPolicy, Kind};
use crate::transcode::query::QueryOptions;
use crate::transcode::{ReadOptions, WriteOptions};

use super::auth::Blocks;
use super::secrets::Secrets;

/// Policies, one for each distinct stack of levels: thousands of routes share a few.
#[derive(Debug)]
pub(super) struct Policies<'c> {
    config: &'c Config,
    blocks: &'c Blocks,
    secrets: &'c Secrets,
    made: HashMap<Key, Made>,
    /// Methods that say nothing of who may call them.
    undecided: BTreeSet<String>,
    /// Where credentials are shared with everybody.
    open: Option<Location>,
}

/// The policy of a route, for each who acts on it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) target: Arc<TargetPolicy>,
    pub(super) call: Arc<CallPolicy>,
    pub(super) idempotent: Idempotent,
    pub(super) route: Arc<RoutePolicy>,
    pub(super) resume: Option<Resume>,
    pub(super) success: Success,
    /// Where `success.location` is set.
    pub(super) location_at: Location,
    pub(super) event_field: Option<Located<FieldName>>,
}

/// The levels by their addresses, the upstream, and the kind of the call.
type Key = (Vec<usize>, Arc<str>, Kind);

impl<'c> Policies<'c> {
    pub(super) fn new(config: &'c Config, blocks: &'c Blocks, secrets: &'c Secrets) -> Self {
        Self { config, blocks, secrets, made: HashMap::new(), undecided: BTreeSet::new(), open: None }
    }

    /// Once there is a block, each method has to say which it asks, or that it asks none.
    pub(super) fn undecided(&self) -> Option<Problem> {
        let first = self.undecided.first()?;
        let more = match self.undecided.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let at = self.config.auth.first().map(|auth| auth.at.clone()).unwrap_or_default();
        let message = format!("nothing says who may call {first}{more}");
        let help =
            "set auth = \"NAME\" in [defaults] or nearer, or auth = \"none\" for what anybody may call";
        Some(Problem::error(at, message).help(help))
    }

    /// Any page on the web could act for whoever visits it (Fetch §3.2.5), by keys of one level or of two.
    pub(super) fn open(&self) -> Option<Problem> {
        let message = "cookies of users would go along with the calls of any page";
        let help = "name the origins in place of \"*\", or set credentials = false";
        self.open.clone().map(|at| Problem::error(at, message).help(help))
    }

    /// The policy of requests that no route is found for, as far as `[defaults]` say it: how they are
    /// answered, not who may call.
    pub(super) fn of_misses(&self) -> RoutePolicy {
        let levels = [&self.config.defaults];
        let policy = route_policy(&resolve(&levels), &levels, self.blocks, self.secrets);
        RoutePolicy { access: Access::default(), ..policy }
    }

    /// The policy of a method behind an upstream, by one of `[[routes]]` or not.
    pub(super) fn of(
        &mut self,
        method: &str,
        kind: Kind,
        upstream: &'c Upstream,
        route: Option<&'c Route>,
    ) -> Made {
        let levels = self.config.levels(method, Some(upstream), route);
        if !self.blocks.is_empty() && auth_statement(&levels).is_none() {
            self.undecided.insert(method.to_owned());
        }
        if self.open.is_none() {
            self.open = open_credentials(&levels);
        }
        let addresses = levels.iter().map(|keys| std::ptr::from_ref::<PolicyKeys>(keys).addr()).collect();
        let key = (addresses, Arc::clone(&upstream.name), kind);
        let made = self.made.entry(key).or_insert_with(|| {
            let policy = resolve(&levels);
            Made {
                target: Arc::new(target_policy(&policy, upstream, kind, self.secrets)),
                call: Arc::new(call_policy(&policy, &upstream.name)),
                idempotent: policy.retry.as_ref().map_or(Idempotent::Derived, |retry| retry.idempotent),
                route: Arc::new(route_policy(&policy, &levels, self.blocks, self.secrets)),
                resume: policy.resume,
                success: policy.success,
                location_at: location_at(&levels).unwrap_or_default(),
                event_field: policy.sse.event_field.0,
            }
        });
        made.clone()
    }
}

fn route_policy(policy: &Policy, levels: &[&PolicyKeys], blocks: &Blocks, secrets: &Secrets) -> RoutePolicy {
    RoutePolicy {
        access: access(policy, blocks),
        cors: Sharing::new(policy.cors.clone()),
        websocket_origins: policy.websocket.origins.0.clone().into(),
        rate_limit: rate_limit(policy, levels),
        headers: Headers {
            request: edits(&policy.headers.request, secrets),
            response: edits(&policy.headers.response, secrets),
        },
    }
}

/// The edits of all levels in a row.
fn edits(levels: &[HeaderEdits], secrets: &Secrets) -> Vec<Edit> {
    let value = |source: &HeaderSource| match source {
        HeaderSource::Fixed(value) => secrets.value(value).map(Value::Fixed),
        HeaderSource::Claim(pointer) => Some(Value::Claim(pointer.as_str().into())),
        HeaderSource::Address => Some(Value::Address),
    };
    let mut edits = Vec::new();
    for level in levels {
        edits.extend(level.remove.iter().cloned().map(Edit::Remove));
        let set = level.set.iter();
        edits.extend(set.filter_map(|(name, source)| Some(Edit::Set(name.clone(), value(source)?))));
        let add = level.add.iter();
        edits.extend(add.filter_map(|(name, source)| Some(Edit::Add(name.clone(), value(source)?))));
    }
    edits
}

fn rate_limit(policy: &Policy, levels: &[&PolicyKeys]) -> Option<RateLimit> {
    let (count, period, burst) = policy.rate_limit.amounts()?;
    let scope = rate_scope(levels).unwrap_or_default();
    Some(RateLimit::new(Limit::new(count, period, burst), policy.rate_limit.by.clone(), scope))
}

fn access(policy: &Policy, blocks: &Blocks) -> Access {
    let authenticators = match &policy.auth {
        AuthChoice::None => Vec::new(),
        AuthChoice::AnyOf(names) => names.iter().filter_map(|name| blocks.get(name)).collect(),
    };
    Access { authenticators, require: policy.require.clone(), reserved: blocks.reserved.clone() }
}

fn call_policy(policy: &Policy, upstream: &Arc<str>) -> CallPolicy {
    CallPolicy {
        upstream: Arc::clone(upstream),
        message_limit: policy.limits.message,
        in_flight: policy.limits.in_flight.0,
        streams: policy.limits.streams.0,
        idle: policy.limits.idle.duration(),
        age: policy.limits.age.duration(),
        // Copies of a call that each were retried would be too many (gRFC A6 allows one of the two).
        retry: policy.retry.as_ref().filter(|_| policy.hedge.is_none()).map(Retry::for_calls),
        hedge: policy.hedge.as_ref().map(Hedge::for_calls),
        compression: policy.compression.for_calls(),
    }
}

fn target_policy(policy: &Policy, upstream: &Upstream, kind: Kind, secrets: &Secrets) -> TargetPolicy {
    TargetPolicy {
        timeout: if kind == Kind::Unary { policy.timeout } else { policy.stream_timeout }.duration(),
        body_limit: policy.limits.body,
        message_limit: policy.limits.message,
        stream_headers_after: policy.stream_headers_after,
        stream: match policy.stream {
            StreamForm::Auto => None,
            StreamForm::Sse => Some(StreamFraming::Sse),
            StreamForm::Ndjson => Some(StreamFraming::Ndjson),
            StreamForm::Array => Some(StreamFraming::Array),
        },
        sse: SsePolicy {
            heartbeat: policy.sse.heartbeat.0,
            retry: policy.sse.retry,
            event: policy.sse.event.line().map(Arc::from),
        },
        websocket: WebSocketPolicy {
            message_limit: policy.websocket.message,
            frame_limit: policy.websocket.frame.min(policy.websocket.message),
            idle_ping: policy.websocket.idle_ping.0,
            cookie: policy.websocket.cookie.0.clone(),
        },
        metadata: metadata_policy(&policy.metadata, secrets),
        affinity: match &upstream.balance.value {
            Balance::Hash(HashKey::Header(name)) => HeaderName::try_from(name.as_str()).ok(),
            // What is in the message, each method knows for itself.
            Balance::Hash(HashKey::Field(_)) | Balance::P2c | Balance::RoundRobin => None,
        },
        read: read_options(policy),
        write: write_options(policy),
        query: query_options(policy, kind),
        envelope: policy.json.envelope,
        forms: policy.forms,
        fields: policy.json.fields,
    }
}

fn metadata_policy(metadata: &Metadata, secrets: &Secrets) -> MetadataPolicy {
    let set = metadata.set.0.iter();
    MetadataPolicy {
        request: metadata.request.0.clone(),
        response: metadata.response.0.clone(),
        set: set.filter_map(|(name, value)| Some((name.clone(), secrets.value(value)?))).collect(),
        grpc_gateway: metadata.profile == Profile::GrpcGateway,
    }
}

/// Where `$fields` selects what is answered, or `lastEventId` where a stream goes on, it is no field of
/// the request.
fn query_options(policy: &Policy, kind: Kind) -> QueryOptions {
    let ignored = policy.query.ignore.iter().map(String::as_str);
    let resumes = policy.resume.is_some() && kind == Kind::ServerStreaming;
    let own = [policy.json.fields.then_some(FIELDS), resumes.then_some(LAST_EVENT_ID_PARAMETER)];
    QueryOptions {
        ignore_unknown: policy.query.unknown == Unknown::Ignore,
        ignore: ignored.chain(own.into_iter().flatten()).map(Box::from).collect(),
    }
}

fn read_options(policy: &Policy) -> ReadOptions {
    ReadOptions {
        ignore_unknown: policy.json.unknown_fields == Unknown::Ignore,
        enum_ignore_case: policy.json.enum_case == EnumCase::Ignore,
        enum_strip_prefix: policy.json.enum_prefix == EnumPrefix::Strip,
        ..ReadOptions::default()
    }
}

/// So many times as long as `limits.message` a message may be as JSON.
const JSON_GROWTH: usize = 16;

fn write_options(policy: &Policy) -> WriteOptions {
    let largest = policy.limits.message.max(policy.websocket.message);
    WriteOptions {
        int64_as_number: policy.json.int64 == Int64Form::Number,
        enums_as_numbers: policy.json.enums == EnumForm::Number,
        proto_names: policy.json.names == FieldNames::Proto,
        print_defaults: policy.json.defaults == DefaultValues::Print,
        enum_strip_prefix: policy.json.enum_prefix == EnumPrefix::Strip,
        max_length: largest.saturating_mul(JSON_GROWTH),
        ..WriteOptions::default()
    }
}
