//! The name of a cookie, where one may carry a token.

use std::sync::Arc;

use super::value::PolicyValue;
use crate::config::entry::Entry;

/// The name of a cookie; `"none"` for no cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CookieName(pub Option<Arc<str>>);

/// A cookie's name is a token (RFC 6265 §4.1.1, RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl PolicyValue for CookieName {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        match entry.text()? {
            "none" => Some(Self(None)),
            name if is_token(name) => Some(Self(Some(name.into()))),
            name => entry.wrong(
                format!("{name:?} is no name of a cookie"),
                "letters, digits and !#$%&'*+-.^_`|~ make a name, such as \"session\"; \"none\" for no cookie",
            ),
        }
    }

    fn show(&self) -> String {
        format!("{:?}", self.0.as_deref().unwrap_or("none"))
    }
}

#[cfg(test)]
mod tests {
    use super::is_token;

    #[test]
    fn names_are_tokens() {
        for good in ["session", "__Host-id", "a.b", "~"] {
            assert!(is_token(good), "{good}");
        }
        for bad in ["", "a b", "a=b", "a;b", "a,b", "\"a\"", "é", "a\n"] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }
}
