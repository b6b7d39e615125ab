//! The route ring's decision: who may call a route, and what the upstream is told of the caller.
//!
//! An [`Access`] is compiled from the policy keys of the resolved method, so no spelling of a path slips
//! past it. It looks at the head alone, before any of the body is read, and writes metadata, never HTTP
//! headers: nothing forged can come in again.

pub mod layer;

use std::collections::HashSet;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, request::Parts};
use serde_json::Value as Json;

use super::api_key::ApiKeys;
use super::basic::Basic;
use super::credential;
use super::expiry::Expiry;
use super::identity::Identity;
use super::jwt::Jwt;
use super::mtls::Mtls;
use crate::config::policy::Require;
use crate::rpc::metadata::GRPC_GATEWAY;
use crate::rpc::{Code, Kind, Metadata, Origin, Status};

/// One `[auth.NAME]`, ready to ask.
#[derive(Debug)]
pub enum Authenticator {
    Jwt(Box<Jwt>),
    ApiKeys(ApiKeys),
    Basic(Box<Basic>),
    Mtls(Mtls),
}

impl Authenticator {
    /// Who calls, as far as that can be told without waiting.
    fn authenticate_now(&self, head: &Parts) -> Option<Result<Option<Arc<Identity>>, Status>> {
        match self {
            Self::Jwt(jwt) => jwt.authenticate_now(head),
            Self::ApiKeys(keys) => Some(keys.authenticate(head)),
            Self::Basic(basic) => basic.authenticate_now(head),
            Self::Mtls(mtls) => Some(mtls.authenticate(head)),
        }
    }

    async fn authenticate(&self, head: &Parts) -> Result<Option<Arc<Identity>>, Status> {
        match self {
            Self::Jwt(jwt) => jwt.authenticate(head).await,
            Self::ApiKeys(keys) => keys.authenticate(head),
            Self::Basic(basic) => basic.authenticate(head).await,
            Self::Mtls(mtls) => mtls.authenticate(head),
        }
    }

    fn challenge(&self) -> HeaderValue {
        match self {
            Self::Jwt(jwt) => jwt.challenge(),
            Self::ApiKeys(keys) => keys.challenge(),
            Self::Basic(basic) => basic.challenge(),
            Self::Mtls(mtls) => mtls.challenge(),
        }
    }

    /// Names of metadata that its identities write.
    #[must_use]
    pub fn written(&self) -> Vec<&HeaderName> {
        match self {
            Self::Jwt(jwt) => jwt.written().collect(),
            Self::ApiKeys(keys) => keys.written().collect(),
            Self::Basic(basic) => basic.written().collect(),
            Self::Mtls(mtls) => mtls.written().collect(),
        }
    }

    /// The parameter of a query that may hold its credential.
    fn query(&self) -> Option<&str> {
        match self {
            Self::ApiKeys(keys) => keys.query(),
            Self::Jwt(_) | Self::Basic(_) | Self::Mtls(_) => None,
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
    pub reserved: Reserved,
}

/// What was decided of a request: nothing stands in the way of its call.
#[derive(Debug, Default)]
pub struct Admitted {
    identity: Option<Arc<Identity>>,
    reserved: Reserved,
    unexpired: bool,
}

impl Access {
    /// Decides by the head of a request, if that needs no waiting: a key may have to be fetched, a password
    /// to be hashed.
    ///
    /// # Errors
    /// Those of [`Access::admit`].
    pub fn admit_now(&self, head: &Parts) -> Option<Result<Admitted, Status>> {
        // Also where nobody asks for it here: the upstream may, and take another one than its own proxies.
        if let Err(status) = credential::authorization(&head.headers) {
            return Some(Err(status));
        }
        if self.authenticators.is_empty() {
            return Some(Ok(self.admitted(None)));
        }
        let mut refusal = None;
        for authenticator in &self.authenticators {
            match authenticator.authenticate_now(head)? {
                Ok(Some(identity)) => return Some(self.authorize(identity)),
                Ok(None) => {}
                Err(status) => refusal = refusal.or(Some(status)),
            }
        }
        Some(Err(self.refuse(refusal)))
    }

    /// Decides by the head of a request. The first that vouches for the caller decides; a credential that
    /// is wrong for one of them may be right for the next.
    ///
    /// # Errors
    /// 401 without good credentials, 403 when they do not suffice, 400 when they are malformed, 503 when
    /// nobody can tell now.
    pub async fn admit(&self, head: &Parts) -> Result<Admitted, Status> {
        if let Some(decided) = self.admit_now(head) {
            return decided;
        }
        let mut refusal = None;
        for authenticator in &self.authenticators {
            match authenticator.authenticate(head).await {
                Ok(Some(identity)) => return self.authorize(identity),
                Ok(None) => {}
                Err(status) => refusal = refusal.or(Some(status)),
            }
        }
        Err(self.refuse(refusal))
    }

    /// The parameters of a query that may hold credentials: they are to be taken out of a request's target
    /// before anybody else reads it.
    pub fn secret_parameters(&self) -> impl Iterator<Item = &str> {
        self.authenticators.iter().filter_map(|authenticator| authenticator.query())
    }

    /// The first refusal, or the ways that there are to show who one is.
    fn refuse(&self, refusal: Option<Status>) -> Status {
        let challenges = self.authenticators.iter().map(|authenticator| authenticator.challenge());
        refusal.unwrap_or_else(|| credential::absent(challenges))
    }

    fn admitted(&self, identity: Option<Arc<Identity>>) -> Admitted {
        Admitted { identity, reserved: self.reserved.clone(), unexpired: self.require.unexpired }
    }

    fn authorize(&self, identity: Arc<Identity>) -> Result<Admitted, Status> {
        let Require { scopes, claims, .. } = &self.require;
        let has_scopes = scopes.iter().all(|scope| identity.scopes.iter().any(|own| **own == **scope));
        let claims_hold = claims.0.iter().all(|(pointer, wanted)| {
            identity.claims.pointer(pointer).is_some_and(|claim| is_or_has(claim, wanted))
        });
        if has_scopes && claims_hold {
            Ok(self.admitted(Some(identity)))
        } else {
            Err(forbidden(&identity, scopes))
        }
    }
}

/// Whether metadata hold a credential, under its own name or that of grpc-gateway's profile.
fn is_credential(name: &HeaderName, credential: &HeaderName) -> bool {
    name.as_str().strip_prefix(GRPC_GATEWAY).unwrap_or(name.as_str()) == credential
}

fn is_or_has(claim: &Json, wanted: &Json) -> bool {
    claim == wanted || claim.as_array().is_some_and(|items| items.contains(wanted))
}

/// "insufficient_scope" (RFC 6750 §3.1), where a token could have more. Which claim is missing is not told.
fn forbidden(identity: &Identity, scopes: &[String]) -> Status {
    let message = "the caller is known, but may not call this";
    let status = Status::new(Code::PermissionDenied, Origin::Client, "NOT_PERMITTED", message);
    if !identity.is_token {
        return status;
    }
    let (error, scopes) = (("error", "insufficient_scope"), scopes.join(" "));
    let parameters = if scopes.is_empty() { vec![error] } else { vec![error, ("scope", scopes.as_str())] };
    let challenge = credential::challenge("Bearer", &identity.policy, &parameters);
    status.with_header(http::header::WWW_AUTHENTICATE, challenge)
}

impl Admitted {
    /// When what the caller has shown ends, where a call of this kind is to end with it: what ends one with a
    /// single answer is its timeout.
    #[must_use]
    pub fn expiry(&self, kind: Kind) -> Option<Expiry> {
        let identity = self.identity.as_ref().filter(|_| self.unexpired && kind != Kind::Unary)?;
        identity.expires.map(Expiry::at)
    }

    /// Who calls, where somebody was asked.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

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
