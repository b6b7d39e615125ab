//! The types of policy values: how each is read, and how it is shown as it would be written.

use std::time::Duration;

use crate::config::entry::{Choice, Entry};
use crate::config::unit;

/// A type that a policy key can have.
pub(super) trait PolicyValue: Clone {
    fn read(entry: &Entry<'_>) -> Option<Self>;

    /// As it is written in a file.
    fn show(&self) -> String;
}

/// A duration longer than none, or `"none"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    None,
    After(Duration),
}

/// A duration longer than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Duration);

impl Timeout {
    /// The duration, if there is one.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::After(duration) => Some(duration),
        }
    }
}

impl PolicyValue for Timeout {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        if entry.is_text("none") {
            return Some(Self::None);
        }
        Interval::read(entry).map(|interval| Self::After(interval.0))
    }

    fn show(&self) -> String {
        self.duration().map_or_else(|| "\"none\"".to_owned(), |duration| duration.show())
    }
}

impl PolicyValue for Interval {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let duration = entry.duration()?;
        if duration.is_zero() {
            return entry.wrong("must be longer than nothing", unit::DURATION_FORM);
        }
        Some(Self(duration))
    }

    fn show(&self) -> String {
        self.0.show()
    }
}

impl PolicyValue for Duration {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.duration()
    }

    fn show(&self) -> String {
        format!("\"{}\"", unit::show_duration(*self))
    }
}

/// A size in bytes.
impl PolicyValue for usize {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.size()
    }

    fn show(&self) -> String {
        format!("\"{}\"", unit::show_size(*self))
    }
}

/// A number of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub usize);

impl PolicyValue for Count {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.number(&(1..=1_000_000)).map(Self)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl PolicyValue for bool {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.boolean()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl PolicyValue for Vec<String> {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let texts = entry.texts(|_, text| Some(text.to_owned()))?;
        Some(texts.into_iter().map(|text| text.value).collect())
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl<T: Choice> PolicyValue for T {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.choice()
    }

    fn show(&self) -> String {
        format!("\"{}\"", self.word())
    }
}

/// Makes an enum whose values are words, the default first.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl Choice for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$value),)*];
        }
    };
}

pub(super) use words;

words! {
    /// `stream`: how a stream of messages is written for those who speak JSON.
    StreamForm {
        /// By the request's `Accept`.
        Auto = "auto",
        /// Server-sent events.
        Sse = "sse",
        /// A message a line.
        Ndjson = "ndjson",
        /// One JSON array.
        Array = "array",
    }
}

words! {
    /// `json.int64`.
    Int64Form {
        /// In quotes, as ProtoJSON has it: JavaScript's numbers end at 2⁵³.
        String = "string",
        Number = "number",
    }
}

words! {
    /// `json.enums`.
    EnumForm {
        Name = "name",
        Number = "number",
    }
}

words! {
    /// `json.names`.
    FieldNames {
        /// `lowerCamelCase`, or the field's `json_name`.
        Json = "json",
        /// As in the `.proto` file.
        Proto = "proto",
    }
}

words! {
    /// `json.defaults`.
    DefaultValues {
        Omit = "omit",
        Print = "print",
    }
}

words! {
    /// `json.unknown_fields` and `query.unknown`.
    Unknown {
        Reject = "reject",
        Ignore = "ignore",
    }
}

words! {
    /// `json.enum_case`.
    EnumCase {
        Exact = "exact",
        Ignore = "ignore",
    }
}

words! {
    /// `json.enum_prefix`.
    EnumPrefix {
        Keep = "keep",
        Strip = "strip",
    }
}
