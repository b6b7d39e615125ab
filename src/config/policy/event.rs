//! Policy keys `sse.event` and `sse.event_field`: what events are called.

use ::config::ValueKind;

use super::resume::FieldName;
use super::value::PolicyValue;
use crate::config::entry::Entry;
use crate::config::problem::Located;

/// `sse.event`: a name that is one line, and none of those that the gateway itself gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(pub String);

/// `sse.event_field`, and where it is set; `false`: no field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventField(pub Option<Located<FieldName>>);

/// What the gateway tells the end and the failure of a stream with.
const TAKEN: [&str; 2] = ["end", "error"];

/// What an event without a name is (WHATWG HTML §9.2.6).
const PLAIN: &str = "message";

impl EventName {
    /// Whether a name can be that of a message: it breaks no line, and tells nothing but itself.
    #[must_use]
    pub fn is_usable(name: &str) -> bool {
        !name.is_empty() && !TAKEN.contains(&name) && !name.contains(['\r', '\n', '\0'])
    }

    /// The name, unless it is that of events without a name.
    #[must_use]
    pub fn line(&self) -> Option<&str> {
        (self.0 != PLAIN).then_some(&self.0)
    }
}

impl Default for EventName {
    fn default() -> Self {
        Self(PLAIN.to_owned())
    }
}

impl PolicyValue for EventName {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let text = entry.text()?;
        if TAKEN.contains(&text) {
            return entry.wrong(
                format!("\"{text}\" is how the gateway itself calls an event"),
                "call it otherwise: clients tell by that name how a stream has ended",
            );
        }
        if !Self::is_usable(text) {
            return entry.wrong("is no name of an event", "write one line, such as \"change\"");
        }
        Some(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl PolicyValue for EventField {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        if matches!(entry.value, ValueKind::Boolean(false)) || entry.is_text("false") {
            return Some(Self(None));
        }
        entry.located(FieldName::read).map(|name| Self(Some(name)))
    }

    fn show(&self) -> String {
        self.0.as_ref().map_or_else(|| "false".to_owned(), |name| name.value.show())
    }
}
