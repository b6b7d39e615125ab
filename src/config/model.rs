//! The configuration as the rest of Transom works with it: every value parsed, every default filled
//! in, every place remembered that a later stage (schema, routes) may still have to name.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::auth::Auth;
pub use super::policy::{LimitKeys, PolicyKeys, Timeout};
use super::problem::{Located, Location};
use super::proxies::Proxies;

/// A whole, checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// What two rules of one rank, host and shape are.
    pub collisions: Collisions,
    pub server: Server,
    pub admin: Admin,
    pub schema: Vec<Schema>,
    /// `[auth.NAME]`, in the order of the files.
    pub auth: Vec<Auth>,
    /// In the order of the files.
    pub upstreams: Vec<Upstream>,
    /// `[defaults]`: the farthest level of policy keys.
    pub defaults: PolicyKeys,
    /// `[[policies]]`, in the order of the files.
    pub policies: Vec<SelectorPolicy>,
    /// `[[routes]]`, in the order of the files.
    pub routes: Vec<Route>,
    /// The configuration files that were read, and the glob patterns of `include` made absolute: what a
    /// reload has to watch beside the files that the schema names.
    pub files: Vec<PathBuf>,
    pub include: Vec<PathBuf>,
}

/// `collisions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collisions {
    /// They are a problem that names both.
    #[default]
    Error,
    /// They are a warning; the first in order wins.
    Warn,
}

/// `[server]`: the public listener.
#[derive(Clone, Debug)]
pub struct Server {
    pub listen: Vec<Located<Listen>>,
    /// Worker threads; by default the cores that this process may use.
    pub workers: usize,
    pub accept: Accept,
    pub tls: Option<ServerTls>,
    /// Whom to believe about where requests come from.
    pub proxies: Proxies,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// `server.accept`: who takes new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// Each worker has its own listening socket; the kernel deals connections out by hash.
    #[default]
    PerCore,
    /// One socket, whose connections are dealt out in turn.
    Shared,
}

/// `server.tls`.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// PEM, the leaf first.
    pub cert: Located<PathBuf>,
    /// PEM.
    pub key: Located<PathBuf>,
    /// Whether clients are asked for certificates.
    pub clients: Option<ClientAuth>,
}

/// `client_ca` and `client_auth` of `server.tls`.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// PEM: who may vouch for clients.
    pub ca: Located<PathBuf>,
    /// Whether a client without a certificate is refused in the handshake already.
    pub required: bool,
}

/// `[admin]`: the listener for those who operate the gateway.
#[derive(Clone, Debug)]
pub struct Admin {
    pub listen: Located<SocketAddr>,
}

/// One `[[schema]]`.
#[derive(Clone, Debug)]
pub struct Schema {
    pub source: SchemaSource,
    /// Selectors of what is never routed and never callable, by any protocol.
    pub exclude: Vec<Located<Selector>>,
    pub at: Location,
}

/// Where descriptors come from.
#[derive(Clone, Debug)]
pub enum SchemaSource {
    /// A serialized `FileDescriptorSet` with its imports.
    DescriptorSet(Located<PathBuf>),
    /// `.proto` files, by absolute glob patterns, and the folders that imports are relative to.
    Protos { patterns: Vec<Located<PathBuf>>, include: Vec<Located<PathBuf>> },
    /// What the upstream of this name says of itself by reflection.
    Reflection(Located<Arc<str>>),
    /// A serialized `FileDescriptorSet` that is part of the program. No key leads here: it comes with the
    /// text of an embedded configuration (`Kind::Text`).
    Embedded(&'static [u8]),
}

/// What a rule or a policy is for: `pkg.Service.Method`, `pkg.Service.*`, `pkg.*` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// One method, service or package, by its full name.
    Exact(String),
    /// All whose full name starts with this and a dot; the empty name selects everything.
    Prefix(String),
}

impl Selector {
    /// Whether a full name (`pkg.Service.Method`) is selected.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) if prefix.is_empty() => true,
            Self::Prefix(prefix) => {
                name.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }

    /// How specific it is: of two selectors that match, the greater wins.
    #[must_use]
    pub fn specificity(&self) -> (usize, bool) {
        match self {
            Self::Exact(name) => (name.len(), true),
            Self::Prefix(name) => (name.len(), false),
        }
    }
}

/// As it is written.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(prefix) if prefix.is_empty() => f.write_str("*"),
            Self::Prefix(prefix) => write!(f, "{prefix}.*"),
        }
    }
}

/// `[upstreams.NAME]`.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub name: Arc<str>,
    pub endpoints: Vec<Located<Endpoint>>,
    /// The services it answers; `None`: those that no other upstream claims.
    pub services: Option<Vec<Located<String>>>,
    pub hosts: Hosts,
    /// What stands before every template of this upstream's rules; starts with a slash, never ends
    /// with one.
    pub prefix: Option<Located<String>>,
    /// Whether its methods have the route `POST /pkg.Service/Method`.
    pub auto_routes: bool,
    /// How calls are spread over the endpoints.
    pub balance: Located<Balance>,
    /// How `https` endpoints are spoken to; without it the system's roots and the endpoint's own name.
    pub tls: Option<UpstreamTls>,
    /// Whether and about what endpoints are asked by `grpc.health.v1`.
    pub health: Option<Health>,
    pub policy: PolicyKeys,
    pub at: Location,
}

/// Where an upstream can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub address: Address,
    /// Its share of the calls, relative to the others'; 1 by default.
    pub weight: u32,
}

/// `upstreams.NAME.balance`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// The less busy of two endpoints picked at random.
    #[default]
    P2c,
    /// Each in its turn.
    RoundRobin,
    /// The same endpoint for the same value of a key of the call.
    Hash(HashKey),
}

/// What of a call decides its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// `header:NAME`; the name in lower case.
    Header(String),
}

/// `upstreams.NAME.health`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The service that is asked about; "" is the whole server.
    pub service: Arc<str>,
}

/// `upstreams.NAME.tls`.
#[derive(Clone, Debug, Default)]
pub struct UpstreamTls {
    /// PEM: the roots to trust in place of the system's.
    pub ca: Option<Located<PathBuf>>,
    /// PEM, the leaf first: our own certificate, for mutual TLS. It and its key come together.
    pub client: Option<ClientCertificate>,
    /// The name that the upstream's certificate must have, where it is not the endpoint's.
    pub server_name: Option<Located<String>>,
}

/// `cert` and `key` of `upstreams.NAME.tls`.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    pub cert: Located<PathBuf>,
    pub key: Located<PathBuf>,
}

/// The address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `http://host:port`: h2c with prior knowledge. Hosts are in lower case, IPv6 without brackets.
    Http { host: String, port: u16 },
    /// `https://host:port`: h2 by ALPN.
    Https { host: String, port: u16 },
    /// `unix:/path`.
    Unix(PathBuf),
    /// `dns:///name:port`: every address of the name is an endpoint.
    Dns { name: String, port: u16 },
}

/// `upstreams.NAME.hosts`: by which `Host` its rules are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// Every host; a rule for the request's own host comes before.
    #[default]
    Any,
    /// These, in lower case, without port.
    Names(Vec<Located<String>>),
    /// Each service's own `google.api.default_host`.
    Annotated,
}

/// `[[policies]]`.
#[derive(Clone, Debug)]
pub struct SelectorPolicy {
    pub selector: Located<Selector>,
    pub policy: PolicyKeys,
}

/// One of `[[routes]]`: a `google.api.HttpRule` and its policy keys.
#[derive(Clone, Debug)]
pub struct Route {
    /// The full name of one method.
    pub selector: Located<String>,
    /// Its bindings, `additional_bindings` included; at least one.
    pub bindings: Vec<HttpBinding>,
    /// Whether the method's annotation does not count.
    pub replace: bool,
    pub policy: PolicyKeys,
    pub at: Location,
}

/// One pair of HTTP method and path template (google/api/http.proto, `HttpRule`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpBinding {
    /// `GET`, `PUT`, …, or the `kind` of `custom`; `*` is any.
    pub method: String,
    pub template: Located<String>,
    /// `*`, a field path, or none.
    pub body: Option<Located<String>>,
    pub response_body: Option<Located<String>>,
}
