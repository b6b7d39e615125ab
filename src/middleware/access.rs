//! The route ring's decision: who may call a route, and what the upstream is told of the caller.
//!
//! An [`Access`] is compiled from the policy keys of the resolved method, so no spelling of a path slips
//! past it. It looks at the head alone, before any of the body is read, and writes metadata, never HTTP
//! headers: nothing forged can come in again.

use std::collections::HashSet;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, request::Parts};
use serde_json::Value as Json;

use super::api_key::ApiKeys;
use super::credential;
use super::identity::Identity;
use super::jwt::Jwt;
use crate::config::policy::{Cors, Require};
use crate::rpc::metadata::GRPC_GATEWAY;
use crate::rpc::{Code, Metadata, Origin, Status};

/// One `[auth.NAME]`, ready to ask.
#[derive(Debug)]
pub enum Authenticator {
    Jwt(Box<Jwt>),
    ApiKeys(ApiKeys),
}

impl Authenticator {
    fn authenticate(&self, head: &Parts) -> Result<Option<Arc<Identity>>, Status> {
        match self {
            Self::Jwt(jwt) => jwt.authenticate(head),
            Self::ApiKeys(keys) => keys.authenticate(head),
        }
    }

    fn challenge(&self) -> HeaderValue {
        match self {
            Self::Jwt(jwt) => jwt.challenge(),
            Self::ApiKeys(keys) => keys.challenge(),
        }
    }

    /// Names of metadata that its identities write.
    #[must_use]
    pub fn written(&self) -> Vec<&HeaderName> {
        match self {
            Self::Jwt(jwt) => jwt.written().collect(),
            Self::ApiKeys(keys) => keys.written().collect(),
        }
    }
}

/// Names of metadata that only the gateway writes, whichever route a call comes by.
///
/// Compared as upstreams do that turn names into variables: without case, `_` and `-` alike.
#[derive(Clone, Debug, Default)]
pub struct Reserved(Arc<HashSet<Box<str>>>);

impl Reserved {
    /// What any of these writes, and further names.
    #[must_use]
    pub fn of<'a>(
        authenticators: impl Iterator<Item = &'a Authenticator>,
        more: impl Iterator<Item = &'a HeaderName>,
    ) -> Self {
        Self(Arc::new(authenticators.flat_map(Authenticator::written).chain(more).map(fold).collect()))
    }

    fn has(&self, name: &HeaderName) -> bool {
        !self.0.is_empty() && self.0.contains(&fold(name))
    }
}

fn fold(name: &HeaderName) -> Box<str> {
    name.as_str().replace('_', "-").into()
}

/// Who may call a route.
#[derive(Debug, Default)]
pub struct Access {
    /// Any of these; when empty, everybody may call.
    pub authenticators: Vec<Arc<Authenticator>>,
    pub require: Require,
    /// Which pages of other origins may call.
    pub cors: Cors,
    pub reserved: Reserved,
}

/// What was decided of a request: nothing stands in the way of its call.
#[derive(Debug)]
pub struct Admitted {
    identity: Option<Arc<Identity>>,
    reserved: Reserved,
}

impl Access {
    /// Decides by the head of a request.
    ///
    /// # Errors
    /// 401 without good credentials, 403 when they do not suffice, 400 when they are malformed.
    pub fn admit(&self, head: &Parts) -> Result<Admitted, Status> {
        let identity = if self.authenticators.is_empty() { None } else { Some(self.authenticate(head)?) };
        if let Some(identity) = &identity {
            self.authorize(identity)?;
        }
        Ok(Admitted { identity, reserved: self.reserved.clone() })
    }

    /// The first that vouches for the caller decides; a credential that is wrong for one of them may be
    /// right for the next.
    fn authenticate(&self, head: &Parts) -> Result<Arc<Identity>, Status> {
        let mut refusal = None;
        for authenticator in &self.authenticators {
            match authenticator.authenticate(head) {
                Ok(Some(identity)) => return Ok(identity),
                Ok(None) => {}
                Err(status) => refusal = refusal.or(Some(status)),
            }
        }
        let challenges = self.authenticators.iter().map(|authenticator| authenticator.challenge());
        Err(refusal.unwrap_or_else(|| credential::absent(challenges)))
    }

    fn authorize(&self, identity: &Identity) -> Result<(), Status> {
        let missing: Vec<&str> = self
            .require
            .scopes
            .iter()
            .map(String::as_str)
            .filter(|scope| !identity.scopes.iter().any(|own| **own == **scope))
            .collect();
        let claims_hold = self.require.claims.0.iter().all(|(pointer, wanted)| {
            identity.claims.pointer(pointer).is_some_and(|claim| is_or_has(claim, wanted))
        });
        if missing.is_empty() && claims_hold { Ok(()) } else { Err(forbidden(&self.require.scopes)) }
    }
}

/// Whether metadata hold a credential, under its own name or that of grpc-gateway's profile.
fn is_credential(name: &HeaderName, credential: &HeaderName) -> bool {
    name.as_str().strip_prefix(GRPC_GATEWAY).unwrap_or(name.as_str()) == credential
}

fn is_or_has(claim: &Json, wanted: &Json) -> bool {
    claim == wanted || claim.as_array().is_some_and(|items| items.contains(wanted))
}

/// "insufficient_scope" (RFC 6750 §3.1). Which claim is missing is not told.
fn forbidden(scopes: &[String]) -> Status {
    let message = "the caller is known, but may not call this";
    let status = Status::new(Code::PermissionDenied, Origin::Client, "NOT_PERMITTED", message);
    let scope = if scopes.is_empty() { String::new() } else { format!(", scope=\"{}\"", scopes.join(" ")) };
    match HeaderValue::try_from(format!("Bearer error=\"insufficient_scope\"{scope}")) {
        Ok(challenge) => status.with_header(http::header::WWW_AUTHENTICATE, challenge),
        Err(_) => status,
    }
}

impl Admitted {
    /// Turns the metadata of a client into those of its call: what it made up goes, its credential ends
    /// here, and what is known of it is added.
    pub fn apply(&self, metadata: &mut Metadata) {
        metadata.retain(|name| !self.reserved.has(name));
        let Some(identity) = &self.identity else { return };
        if let Some(credential) = &identity.strip {
            metadata.retain(|name| !is_credential(name, credential));
        }
        for (name, value) in &identity.metadata {
            metadata.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests;
