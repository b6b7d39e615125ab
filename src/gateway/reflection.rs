//! What upstreams say of themselves: `grpc.reflection.v1`, and `v1alpha` where they know no better
//! (grpc/doc/server-reflection.md).
//!
//! Look here for how a running server becomes a descriptor set. The words are exchanged in
//! [`conversation`]; [`collection`] keeps what was learned, within limits. It runs when a configuration
//! is loaded, never for a request.

mod collection;
mod conversation;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use crate::config::model::{Config, SchemaSource, Upstream};
use crate::config::problem::{Located, Location, Problem};
use crate::rpc::{CallPolicy, Client};
use crate::schema::load;
use crate::upstream::{Limits, Pool, Spec};

use super::secrets::Secrets;
use super::upstreams;

/// How long one upstream may take, all in all.
const WHOLE: Duration = Duration::from_secs(30);

/// How long a call may wait for the connection, whose own limit is shorter.
const CONNECT: Duration = Duration::from_secs(5);

/// The largest answer, in bytes; the files of one may be many.
const ANSWER: usize = 16 << 20;

/// The schema of a running server.
#[derive(Clone, Debug)]
pub struct Learned {
    /// A serialized `FileDescriptorSet`: every file after those that it imports, and the same bytes
    /// whenever the server says the same.
    pub set: Bytes,
    /// The full names of its services, in order, those of `grpc.*` left out.
    pub services: Vec<String>,
    pub warnings: Vec<Problem>,
}

/// What all upstreams of a configuration said that are asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) sets: load::Reflected,
    pub(super) warnings: Vec<Problem>,
}

/// Why a server did not tell its schema.
#[derive(Debug)]
struct Trouble {
    message: String,
    help: &'static str,
}

impl Trouble {
    fn new(message: impl Into<String>, help: &'static str) -> Self {
        Self { message: message.into(), help }
    }
}

/// What to do where a server tells nothing, or nothing of use.
const OTHERWISE: &str = "name its descriptors as `descriptor_set` or `protos` instead";

/// Asks every upstream that `[[schema]]` names, one after the other.
///
/// # Errors
/// Why those that could not tell could not.
pub(super) fn ask_all(config: &Config, secrets: &Secrets) -> Result<Asked, Vec<Problem>> {
    let mut asked = Asked::default();
    let mut problems = Vec::new();
    for schema in &config.schema {
        let SchemaSource::Reflection(name) = &schema.source else { continue };
        // That there is one was checked.
        let upstream = config.upstreams.iter().find(|upstream| upstream.name == name.value);
        let Some(upstream) = upstream.filter(|_| !asked.sets.contains_key(&name.value)) else { continue };
        let told = upstreams::of(config, upstream, secrets).and_then(|spec| put(&spec, &name.at));
        match told {
            Ok(learned) => {
                asked.sets.insert(Arc::clone(&name.value), learned.set);
                asked.warnings.extend(learned.warnings);
            }
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(asked) } else { Err(problems) }
}

/// Asks an upstream for its schema; `at` is where problems are told. Blocks, whether or not the thread
/// belongs to a runtime.
///
/// # Errors
/// When the upstream cannot be called by its configuration, cannot be reached, has no reflection, takes too
/// long or tells what cannot be a schema.
pub fn ask(upstream: &Upstream, at: &Location) -> Result<Learned, Vec<Problem>> {
    put(&Spec::load(upstream)?, at)
}

/// Puts the questions to an upstream.
fn put(spec: &Spec, at: &Location) -> Result<Learned, Vec<Problem>> {
    let limits = Limits { queue_time: CONNECT, ..spec.limits };
    let spec = Arc::new(Spec { limits, ..spec.clone() });
    let told = thread::scope(|scope| scope.spawn(|| on_own_runtime(&spec)).join())
        .unwrap_or_else(|_| Err(Trouble::new("asking it failed in the gateway itself", OTHERWISE)));
    let place = |what: String| {
        let message = format!("the upstream `{}` {what}", spec.name);
        Located { value: message, at: at.clone() }
    };
    match told {
        Ok(told) => {
            let warning = |name: &String| {
                let told = place(format!("lists the service {name}, but knows no file that declares it"));
                Problem::warning(told.at, told.value).help("the service is left out")
            };
            let warnings = told.undeclared.iter().map(warning).collect();
            Ok(Learned { set: told.set, services: told.services, warnings })
        }
        Err(trouble) => {
            let told = place(format!("does not tell its schema: {}", trouble.message));
            Err(vec![Problem::error(told.at, told.value).help(trouble.help).passing()])
        }
    }
}

fn on_own_runtime(spec: &Arc<Spec>) -> Result<collection::Told, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(error.to_string(), "the system has no descriptor left"))?;
    let told = runtime.block_on(async {
        let pool = Pool::new();
        pool.reconcile(std::slice::from_ref(spec));
        let policy = CallPolicy { message_limit: ANSWER, ..CallPolicy::new(Arc::clone(&spec.name)) };
        let client = Client::streaming(pool.clone(), Arc::new(policy)).carrying(spec.metadata.clone());
        match timeout(WHOLE, conversation::hold(client)).await {
            Ok(told) => told.map_err(|trouble| why_unreachable(trouble, &pool)),
            Err(_) => {
                Err(Trouble::new(format!("it has told only a part within {} s", WHOLE.as_secs()), OTHERWISE))
            }
        }
    });
    // A lookup of a name that still runs is not waited for.
    runtime.shutdown_background();
    told
}

/// Adds to what the call says why each endpoint could not be reached.
fn why_unreachable(trouble: Trouble, pool: &Pool) -> Trouble {
    let reports = pool.report();
    let endpoints = reports.iter().flat_map(|upstream| &upstream.endpoints);
    let failures: Vec<_> = endpoints
        .filter_map(|endpoint| Some(format!("{}: {}", endpoint.address, endpoint.failure.as_ref()?)))
        .collect();
    if failures.is_empty() {
        return trouble;
    }
    let message = format!("{} ({})", trouble.message, failures.join("; "));
    Trouble::new(message, "start it first, or name its descriptors as `descriptor_set` or `protos` instead")
}

/// Text of a server, fit to be printed: of limited length, without control characters.
fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
