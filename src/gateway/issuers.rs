//! The issuers whose keys come from a URL, across all snapshots, and the fetching of their keys.
//!
//! An issuer is known by where its keys are and by whom to trust there. A reload that names it again finds the keys
//! that are there already; when no snapshot names it any more, nobody fetches for it.

mod source;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::middleware::jwt::issuer::{Fetched, Issuer};
pub(super) use source::Source;

/// What all snapshots share.
#[derive(Debug)]
pub(super) struct Issuers {
    known: Mutex<Vec<Known>>,
    /// To whoever fetches.
    /// Without a bound: only a configuration adds to it, one entry for each way to fetch that it names first.
    new: UnboundedSender<Known>,
    /// What nobody fetches for yet; taken by whoever does.
    waiting: Mutex<Option<UnboundedReceiver<Known>>>,
}

#[derive(Clone, Debug)]
struct Known {
    source: Source,
    issuer: Weak<Issuer>,
    wanted: Arc<Notify>,
}

impl Default for Issuers {
    fn default() -> Self {
        let (new, waiting) = unbounded_channel();
        Self { known: Mutex::default(), new, waiting: Mutex::new(Some(waiting)) }
    }
}

impl Issuers {
    /// The issuer whose keys are there; a new one is fetched for from now on.
    pub(super) fn of(&self, source: Source) -> Arc<Issuer> {
        let mut known = lock(&self.known);
        known.retain(|known| known.issuer.strong_count() > 0);
        let found =
            known.iter().find(|known| known.source == source).and_then(|known| known.issuer.upgrade());
        found.unwrap_or_else(|| {
            let issuer = Arc::new(Issuer::new());
            let new = Known { source, issuer: Arc::downgrade(&issuer), wanted: issuer.wanted() };
            // Nobody receives after the end of the process has begun.
            drop(self.new.send(new.clone()));
            known.push(new);
            issuer
        })
    }

    /// Whether all have keys, or have had time enough to get them.
    pub(super) fn are_settled(&self) -> bool {
        let known = lock(&self.known);
        known.iter().filter_map(|known| known.issuer.upgrade()).all(|issuer| issuer.is_settled())
    }

    /// Fetches keys, each issuer's in a task of its own; to be run once, on a runtime that goes on.
    pub(super) fn tend(&self) -> impl Future<Output = ()> + Send + use<> {
        let waiting = lock(&self.waiting).take();
        async move {
            let Some(mut waiting) = waiting else { return };
            while let Some(known) = waiting.recv().await {
                tokio::spawn(tend(known));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fetches one issuer's keys for as long as somebody needs them.
async fn tend(Known { source, issuer, wanted }: Known) {
    while let Some(pause) = round(&source, &issuer).await {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = wanted.notified() => {}
        }
    }
}

/// Fetches once. Gives how long to wait for the next; `None` when nobody needs any.
async fn round(source: &Source, issuer: &Weak<Issuer>) -> Option<Duration> {
    issuer.upgrade()?.begin();
    let keys = source.fetch().await;
    let (fetched, pause) = issuer.upgrade()?.end(keys);
    tell(source.url(), &fetched);
    Some(pause)
}

fn tell(url: &Uri, fetched: &Fetched) {
    // Without the query: nobody knows what stands in it.
    let host = url.authority().map_or("", Authority::as_str);
    let path = url.path();
    match fetched {
        Fetched::New => tracing::info!(host, path, "new keys of an issuer"),
        Fetched::Same => tracing::debug!(host, path, "the keys of an issuer are the same"),
        Fetched::Failed { why, kept: Some(kept) } => {
            tracing::warn!(
                host,
                path,
                why,
                seconds = kept.as_secs(),
                "no keys of an issuer; those before are kept"
            );
        }
        Fetched::Failed { why, kept: None } => {
            tracing::error!(host, path, why, "no keys of an issuer: its tokens cannot be verified");
        }
    }
}
