//! Policy key `hedge`: further copies of calls that are slow.

use std::time::Duration;

use ::config::ValueKind;

use super::group::group;
use super::retry::Attempts;
use super::value::{Interval, PolicyValue};
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::problem::Located;
use crate::config::table::Table;
use crate::rpc::{self, Code};

group! {
    /// `hedge`: how a call is sent further times that is slow and does no harm twice.
    HedgeKeys => Hedge {
        /// After how long without an answer a further copy is sent.
        delay: Interval = Interval(Duration::from_millis(50));
        /// How many copies are sent at most, the first counted.
        attempts: Attempts = Attempts(2);
        /// The codes after which another copy may still succeed.
        codes: Vec<Code> = vec![Code::Unavailable];
    }
}

/// What one level says of `hedge`: sub-keys, which turn it on, or `false`.
#[derive(Clone, Debug, Default)]
pub struct HedgeChoice {
    pub enabled: Option<Located<bool>>,
    pub keys: HedgeKeys,
}

impl HedgeChoice {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let Some(entry) = table.entry("hedge") else { return Self::default() };
        if !matches!(entry.value, ValueKind::Table(_)) {
            let enabled = entry.located(|entry| {
                if entry.boolean()? {
                    return entry.wrong("`hedge` needs its sub-keys", "write { delay = \"50ms\" } or false");
                }
                Some(false)
            });
            return Self { enabled, keys: HedgeKeys::default() };
        }
        Self { enabled: entry.located(|_| Some(true)), keys: HedgeKeys::read(table, "hedge") }
    }
}

/// How calls are hedged; `None`: they are not.
pub(super) fn resolve(levels: &[&PolicyKeys]) -> Option<Hedge> {
    let enabled = nearest(levels, |keys| &keys.hedge.enabled).is_some_and(|enabled| enabled.value);
    enabled.then(|| Hedge::resolve(levels, |keys| &keys.hedge.keys))
}

pub(super) fn effective(hedge: Option<&Hedge>, levels: &[&PolicyKeys]) -> Vec<Effective> {
    match hedge {
        Some(hedge) => hedge.effective("hedge", levels, |keys| &keys.hedge.keys),
        None => vec![row("hedge", &false, nearest(levels, |keys| &keys.hedge.enabled))],
    }
}

impl Hedge {
    /// As the pool takes it.
    #[must_use]
    pub fn for_calls(&self) -> rpc::Hedge {
        rpc::Hedge { delay: self.delay.0, attempts: self.attempts.0, codes: self.codes.clone() }
    }
}
