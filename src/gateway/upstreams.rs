//! The specifications of upstreams: where they are, how they are reached, and what the gateway's own questions
//! to them carry. Look at `upstream/spec/load.rs` for what each key becomes.

use std::sync::Arc;

use crate::config::model::{Config, Upstream};
use crate::config::policy::resolve;
use crate::config::problem::Problem;
use crate::rpc::Metadata;
use crate::upstream::Spec;

use super::secrets::Secrets;

/// The specifications of all upstreams that have one.
pub(super) fn specify(config: &Config, secrets: &Secrets, problems: &mut Vec<Problem>) -> Vec<Arc<Spec>> {
    let mut specs = Vec::with_capacity(config.upstreams.len());
    for upstream in &config.upstreams {
        match of(config, upstream, secrets) {
            Ok(spec) => specs.push(Arc::new(spec)),
            Err(more) => problems.extend(more),
        }
    }
    specs
}

/// The specification of an upstream.
///
/// # Errors
/// What in its configuration cannot be used.
pub(super) fn of(config: &Config, upstream: &Upstream, secrets: &Secrets) -> Result<Spec, Vec<Problem>> {
    let spec = Spec::load(upstream)?;
    Ok(Spec { metadata: metadata(config, upstream, secrets), ..spec })
}

/// What `metadata.set` says for the whole upstream: where credentials are needed, questions need them too.
fn metadata(config: &Config, upstream: &Upstream, secrets: &Secrets) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in &resolve(&[&upstream.policy, &config.defaults]).metadata.set.0 {
        if let Some(value) = secrets.value(value) {
            metadata.insert(name.clone(), value);
        }
    }
    metadata
}
