//! Resolves requests against a snapshot of routes and hands them to an adapter and the pool.
//!
//! A stand-in with the final signatures, until the gateway itself is merged.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use http::{Request, Response};
use serde::Serialize;

use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::config::{self, Source};
use crate::telemetry::access_log::AccessLog;

pub struct Gateway {
    config: Arc<Config>,
    source: Source,
}

#[derive(Debug, Serialize)]
pub struct Reloaded {
    pub generation: u64,
    pub changed: bool,
    pub warnings: Vec<Problem>,
    pub routes: usize,
}

#[derive(Debug, Serialize)]
pub struct RouteRow {
    pub method: String,
    pub template: String,
    pub grpc_method: String,
    pub kind: &'static str,
    pub source: &'static str,
    pub host: Option<String>,
    pub upstream: String,
}

#[derive(Debug, Serialize)]
pub struct Explanation {
    method: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.method)
    }
}

impl Gateway {
    pub fn load(source: Source) -> Result<(Arc<Self>, Vec<Problem>), Vec<Problem>> {
        let loaded = config::load(&source)?;
        Ok((Arc::new(Self { config: Arc::new(loaded.config), source }), loaded.warnings))
    }

    pub fn reload(&self) -> Result<Reloaded, Vec<Problem>> {
        let loaded = config::load(&self.source)?;
        Ok(Reloaded { generation: 1, changed: true, warnings: loaded.warnings, routes: 0 })
    }

    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    #[must_use]
    pub fn watched(&self) -> Vec<PathBuf> {
        self.config.files.clone()
    }

    #[must_use]
    pub fn routes(&self) -> Vec<RouteRow> {
        Vec::new()
    }

    #[must_use]
    pub fn worker(self: &Arc<Self>, _access_log: AccessLog) -> Worker {
        Worker
    }

    #[must_use]
    pub fn explain(&self, method: &str, _target: &str, _host: Option<&str>) -> Explanation {
        Explanation { method: method.to_owned() }
    }
}

#[derive(Clone)]
pub struct Worker;

impl tower::Service<Request<Body>> for Worker {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::from("stub\n"))))
    }
}
