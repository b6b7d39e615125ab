//! Policy keys about who may call call: `auth` and `require`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::config::ValueKind;
use serde_json::Value as Json;

use super::group::group;
use super::value::PolicyValue;
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::entry::Entry;
use crate::config::problem::Located;
use crate::config::read::name;
use crate::config::table::Table;

group! {
    /// `require`: what an identity must have.
    RequireKeys => Require {
        /// All of these.
        scopes: Vec<String> = Vec::new();
        /// Claims by JSON pointer, and what each must be or contain.
        claims: Claims = Claims::default();
        /// Whether a stream ends when what its caller has shown does.
        unexpired: bool = true;
    }
}

/// `auth`: which blocks are asked who a caller is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AuthChoice {
    /// Nobody is asked; anybody may call.
    #[default]
    None,
    /// Any of these blocks; never empty.
    AnyOf(Vec<Arc<str>>),
}

impl PolicyValue for AuthChoice {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        if let ValueKind::String(text) = entry.value {
            return Some(if text == "none" { Self::None } else { Self::AnyOf(vec![text.as_str().into()]) });
        }
        if entry.is_empty_list() {
            return entry.wrong("must not be empty", "write auth = \"none\" for what anybody may call");
        }
        let names = entry.texts(|entry, text| match text {
            "none" => entry.wrong("`none` is no block among others", "write auth = \"none\""),
            text => Some(Arc::from(text)),
        })?;
        Some(Self::AnyOf(names.into_iter().map(|name| name.value).collect()))
    }

    fn show(&self) -> String {
        match self {
            Self::None => "\"none\"".to_owned(),
            Self::AnyOf(names) => match names.as_slice() {
                [name] => format!("\"{name}\""),
                names => format!("{names:?}"),
            },
        }
    }
}

/// `require.claims`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(pub BTreeMap<String, Json>);

impl PolicyValue for Claims {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let claims = entry.table()?.named().into_iter().filter_map(|(pointer, entry)| {
            let value = match entry.value {
                ValueKind::String(text) => Json::from(text.as_str()),
                ValueKind::Boolean(value) => Json::from(*value),
                ValueKind::I64(number) => Json::from(*number),
                _ => {
                    return entry
                        .wrong("is no value of a claim", "write a text, a whole number, true or false");
                }
            };
            Some((name::pointer(&entry, pointer)?, value))
        });
        Some(Self(claims.collect()))
    }

    fn show(&self) -> String {
        show_table(self.0.iter().map(|(pointer, value)| (pointer.as_str(), value.to_string())))
    }
}

fn show_table<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<_> = pairs.map(|(key, value)| format!("\"{key}\" = {value}")).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}
