//! The policy key `rate_limit`: how often somebody may call.
//!
//! Who is counted by what, and what a refusal says, is not known here.

use std::time::Duration;

use http::HeaderName;

use super::group::group;
use super::value::PolicyValue;
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::entry::Entry;
use crate::config::problem::Located;
use crate::config::read::name;
use crate::config::table::Table;

/// More would be no limit.
const MOST_CALLS: u32 = 1_000_000;

group! {
    /// `rate_limit`: how often somebody may call.
    RateLimitKeys => RateLimit {
        rate: Rate = Rate::None;
        /// How many calls may come at once.
        burst: Burst = Burst::Rate;
        /// Who is counted.
        by: LimitKey = LimitKey::Identity;
    }
}

/// `rate_limit.rate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    None,
    /// So many in this time; both more than nothing.
    Per(u32, Duration),
}

/// `rate_limit.burst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burst {
    /// As many as the number of the rate.
    Rate,
    Calls(u32),
}

/// `rate_limit.by`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitKey {
    /// Who the caller has shown to be; its address where nobody was asked.
    Identity,
    /// The address that the connection came from; of IPv6 the /64 network.
    Address,
    /// The value of a header, which anybody can make up: for what stands behind something that sets it.
    Header(HeaderName),
    /// All callers of a method together.
    Route,
}

const RATE_FORM: &str =
    "write \"none\" or a number a second, minute, hour or day, such as \"100/s\" or \"5000/h\"";
const RATE_UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

impl RateLimit {
    /// So many in which time, and how many at once; `None`: there is no limit.
    #[must_use]
    pub const fn amounts(&self) -> Option<(u32, Duration, u32)> {
        match (self.rate, self.burst) {
            (Rate::None, _) => None,
            (Rate::Per(count, period), Burst::Rate) => Some((count, period, count)),
            (Rate::Per(count, period), Burst::Calls(burst)) => Some((count, period, burst)),
        }
    }
}

impl PolicyValue for Rate {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let text = entry.text()?;
        if text == "none" {
            return Some(Self::None);
        }
        let rate = text.split_once('/').and_then(|(count, unit)| {
            let digits = count.bytes().all(|byte| byte.is_ascii_digit());
            let count = count.parse().ok().filter(|count| digits && (1..=MOST_CALLS).contains(count))?;
            let (_, seconds) = RATE_UNITS.iter().find(|(name, _)| *name == unit)?;
            Some(Self::Per(count, Duration::from_secs(*seconds)))
        });
        rate.or_else(|| entry.wrong(format!("\"{text}\" is no rate"), RATE_FORM))
    }

    fn show(&self) -> String {
        let Self::Per(count, period) = self else { return "\"none\"".to_owned() };
        let unit = RATE_UNITS.iter().find(|(_, seconds)| *seconds == period.as_secs());
        format!("\"{count}/{}\"", unit.map_or("s", |(name, _)| name))
    }
}

impl PolicyValue for Burst {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        if entry.is_text("rate") {
            return Some(Self::Rate);
        }
        entry.number(&(1..=MOST_CALLS)).map(Self::Calls)
    }

    fn show(&self) -> String {
        match self {
            Self::Rate => "\"rate\"".to_owned(),
            Self::Calls(count) => count.to_string(),
        }
    }
}

impl PolicyValue for LimitKey {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        match entry.text()? {
            "identity" => Some(Self::Identity),
            "address" => Some(Self::Address),
            "route" => Some(Self::Route),
            text => match text.strip_prefix("header:") {
                Some(header) => name::header_text(entry, header).map(Self::Header),
                None => entry.wrong(
                    format!("\"{text}\" is nothing to count by"),
                    "write \"identity\", \"address\", \"route\" or \"header:NAME\"",
                ),
            },
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Identity => "\"identity\"".to_owned(),
            Self::Address => "\"address\"".to_owned(),
            Self::Route => "\"route\"".to_owned(),
            Self::Header(name) => format!("\"header:{name}\""),
        }
    }
}
