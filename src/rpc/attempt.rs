//! What a layer that sends a call more than once tells whoever sends it, and what it is told of a failure.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;

/// Which of the attempts at a call this is. The default is that of a call that is sent once.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// How many were made before.
    pub previous: u32,
    /// How long it may take to bring the head of an answer.
    pub time: Option<Duration>,
    /// Whether there may be another, so that this one can leave a peer that has fallen silent.
    pub may_leave: bool,
    /// The endpoints that were asked.
    pub tried: Tried,
}

/// The endpoints that the attempts at one call have asked, by their numbers; clones are the same list.
/// The default keeps nothing.
#[derive(Clone, Debug, Default)]
pub struct Tried(Option<Arc<Mutex<Vec<u64>>>>);

impl Tried {
    /// An empty list that several attempts share.
    #[must_use]
    pub fn shared() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether there may be several attempts.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// Notes that an endpoint is asked.
    pub fn add(&self, endpoint: u64) {
        if let Some(list) = &self.0 {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(endpoint);
        }
    }

    /// The endpoints that were asked until now.
    #[must_use]
    pub fn so_far(&self) -> Vec<u64> {
        let list = self.0.as_ref().map(|list| list.lock().unwrap_or_else(PoisonError::into_inner).clone());
        list.unwrap_or_default()
    }
}

/// What is known of sending a failed call again, beside its code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// Nothing: the code decides.
    #[default]
    ByCode,
    /// The attempt was given up; another may be better, whatever the code.
    Left,
    /// The server wants to be asked again exactly so late.
    After(Duration),
    /// The server does not want to be asked again.
    Never,
    /// No server was asked, so there was no attempt.
    Unsent,
}

impl Again {
    /// Reads `grpc-retry-pushback-ms` of trailers; whatever cannot be read is `Never` (gRFC A6, "Pushback").
    #[must_use]
    pub fn read(trailers: &HeaderMap) -> Self {
        let Some(value) = trailers.get("grpc-retry-pushback-ms") else { return Self::ByCode };
        let delay = value.to_str().ok().and_then(|text| text.parse::<i32>().ok());
        match delay.and_then(|delay| u64::try_from(delay).ok()) {
            Some(delay) => Self::After(Duration::from_millis(delay)),
            None => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushback_is_read_as_a6_wants() {
        let read = |value: &'static str| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-retry-pushback-ms", http::HeaderValue::from_static(value));
            Again::read(&trailers)
        };
        assert_eq!(Again::read(&HeaderMap::new()), Again::ByCode);
        assert_eq!(read("0"), Again::After(Duration::ZERO));
        assert_eq!(read("5000"), Again::After(Duration::from_secs(5)));
        for text in ["-1", "", "soon", "2147483648", "1.5"] {
            assert_eq!(read(text), Again::Never, "{text}");
        }
    }

    #[test]
    fn attempts_share_what_they_have_tried() {
        let attempt = Attempt { tried: Tried::shared(), ..Attempt::default() };
        attempt.clone().tried.add(7);
        attempt.tried.add(8);
        assert_eq!(attempt.tried.so_far(), [7, 8]);
        let alone = Tried::default();
        alone.add(7);
        assert!(alone.so_far().is_empty());
    }
}
