//! Policy key `retry`: how calls are sent again.

use std::time::Duration;

use ::config::ValueKind;

use super::group::group;
use super::value::{PolicyValue, Timeout};
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::entry::Entry;
use crate::config::problem::Located;
use crate::config::suggest::closest;
use crate::config::table::Table;
use crate::rpc::{self, Code};

/// More are never made (gRFC A6).
const MOST_ATTEMPTS: u32 = 5;

group! {
    /// `retry`: how a call is sent again that does no harm twice.
    RetryKeys => Retry {
        /// How often a call is sent at most, the first time counted.
        attempts: Attempts = Attempts(3);
        /// The codes that are worth another attempt.
        codes: Vec<Code> = vec![Code::Unavailable];
        /// The delay before the second attempt; each further one is twice as long.
        backoff: Duration = Duration::from_millis(25);
        /// The longest delay.
        max_backoff: Duration = Duration::from_millis(250);
        /// How long one attempt may take to bring the start of an answer.
        per_attempt: Timeout = Timeout::None;
        /// Which calls do no harm twice.
        idempotent: Idempotent = Idempotent::Derived;
    }
}

/// What one level says of `retry`: `false`, or sub-keys, which also turn it on again.
#[derive(Clone, Debug, Default)]
pub struct RetryChoice {
    pub enabled: Option<Located<bool>>,
    pub keys: RetryKeys,
}

/// `retry.attempts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts(pub u32);

/// `retry.idempotent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotent {
    /// Those whose method says so, and those that came by GET, HEAD, PUT or DELETE.
    Derived,
    /// All or none.
    Always(bool),
}

impl RetryChoice {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let Some(entry) = table.entry("retry") else { return Self::default() };
        if !matches!(entry.value, ValueKind::Table(_)) {
            let enabled = entry.located(|entry| {
                if entry.boolean()? {
                    let help = "write false, or a table such as { attempts = 3 }";
                    return entry.wrong("`retry` is on already", help);
                }
                Some(false)
            });
            return Self { enabled, keys: RetryKeys::default() };
        }
        Self { enabled: entry.located(|_| Some(true)), keys: RetryKeys::read(table, "retry") }
    }
}

/// The retries of a call; `None`: there are none.
pub(super) fn resolve(levels: &[&PolicyKeys]) -> Option<Retry> {
    let enabled = nearest(levels, |keys| &keys.retry.enabled).is_none_or(|enabled| enabled.value);
    enabled.then(|| Retry::resolve(levels, |keys| &keys.retry.keys))
}

pub(super) fn effective(retry: Option<&Retry>, levels: &[&PolicyKeys]) -> Vec<Effective> {
    match retry {
        Some(retry) => retry.effective("retry", levels, |keys| &keys.retry.keys),
        None => vec![row("retry", &false, nearest(levels, |keys| &keys.retry.enabled))],
    }
}

impl Retry {
    /// As the pool takes it.
    #[must_use]
    pub fn for_calls(&self) -> rpc::Retry {
        rpc::Retry {
            attempts: self.attempts.0,
            codes: self.codes.clone(),
            backoff: self.backoff,
            max_backoff: self.max_backoff,
            per_attempt: self.per_attempt.duration(),
        }
    }
}

impl PolicyValue for Attempts {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.number(&(1..=MOST_ATTEMPTS)).map(Self)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl PolicyValue for Idempotent {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        match entry.value {
            ValueKind::Boolean(value) => Some(Self::Always(*value)),
            _ if entry.is_text("derived") => Some(Self::Derived),
            _ if entry.variable().is_some() => entry.boolean().map(Self::Always),
            _ => entry.wrong(
                "is neither \"derived\" nor true or false",
                "\"derived\": what the method says, or GET, HEAD, PUT and DELETE",
            ),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Derived => "\"derived\"".to_owned(),
            Self::Always(value) => value.to_string(),
        }
    }
}

impl PolicyValue for Vec<Code> {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let codes = entry.texts(|entry, text| match Code::from_name(text) {
            Some(Code::Ok) => entry.wrong("OK is no failure", "leave it out"),
            Some(code) => Some(code),
            None => entry.wrong(format!("\"{text}\" is no code of gRPC"), suggestion(text)),
        })?;
        Some(codes.into_iter().map(|code| code.value).collect())
    }

    fn show(&self) -> String {
        let names: Vec<_> = self.iter().map(|code| code.name()).collect();
        format!("{names:?}")
    }
}

fn suggestion(text: &str) -> String {
    let names: Vec<_> = Code::ALL.iter().skip(1).map(|code| code.name()).collect();
    match closest(&text.to_ascii_uppercase(), &names) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => format!("the codes are {}", names.join(", ")),
    }
}
