//! Policy key `metadata`: which headers pass as metadata and back, and what every call is given.
//!
//! Names are checked here; how headers become metadata is not known here.

use http::{HeaderName, HeaderValue};

use super::group::group;
use super::value::{PolicyValue, words};
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::auth::Reference;
use crate::config::entry::{Choice, Entry};
use crate::config::problem::Located;
use crate::config::read::name;
use crate::config::table::Table;

group! {
    /// `metadata`: what passes between headers and metadata.
    MetadataKeys => Metadata {
        /// Request headers that pass as metadata beside the built-in ones.
        request: Names = Names::default();
        /// Metadata of answers that pass as response headers beside the built-in ones.
        response: Names = Names::default();
        /// What every call is given.
        set: Fixed = Fixed::default();
        /// Which conventions of names hold.
        profile: Profile = Profile::Plain;
    }
}

words! {
    /// `metadata.profile`.
    Profile {
        /// Names are the same on both sides.
        Plain = "plain",
        /// Also the names of grpc-gateway: `Grpc-Metadata-*`, `grpcgateway-*`.
        GrpcGateway = "grpc-gateway",
    }
}

/// Names of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub Vec<HeaderName>);

/// Names of metadata, each once, and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fixed(pub Vec<(HeaderName, FixedValue)>);

/// A value that a configuration gives.
#[derive(Clone, Debug, PartialEq)]
pub enum FixedValue {
    Text(HeaderValue),
    /// A secret, which stands elsewhere.
    Secret(Located<Reference>),
}

impl Fixed {
    /// What has to be read from elsewhere.
    pub fn references(&self) -> impl Iterator<Item = &Located<Reference>> {
        self.0.iter().filter_map(|(_, value)| value.reference())
    }
}

impl PolicyValue for Names {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let names = entry.texts(name::passing_text)?;
        Some(Self(names.into_iter().map(|name| name.value).collect()))
    }

    fn show(&self) -> String {
        let names: Vec<_> = self.0.iter().map(HeaderName::as_str).collect();
        format!("{names:?}")
    }
}

impl PolicyValue for Fixed {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let mut pairs = Vec::new();
        for (key, entry) in entry.table()?.named() {
            let (Some(name), Some(value)) = (name::metadata_text(&entry, key), FixedValue::read(&entry, key))
            else {
                continue;
            };
            if pairs.iter().any(|(other, _)| *other == name) {
                entry.wrong::<()>(format!("`{name}` is set twice"), "names have no case: write it once");
            } else {
                pairs.push((name, value));
            }
        }
        Some(Self(pairs))
    }

    fn show(&self) -> String {
        let show = |(name, value): &(HeaderName, FixedValue)| format!("\"{name}\" = {}", value.show());
        let pairs: Vec<_> = self.0.iter().map(show).collect();
        if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
    }
}

impl FixedValue {
    /// What has to be read from elsewhere.
    #[must_use]
    pub const fn reference(&self) -> Option<&Located<Reference>> {
        match self {
            Self::Text(_) => None,
            Self::Secret(reference) => Some(reference),
        }
    }

    /// What stands behind a name.
    pub(super) fn read(entry: &Entry<'_>, key: &str) -> Option<Self> {
        let text = entry.text()?;
        if let Some(reference) = name::reference(entry, text) {
            return entry.located(|_| Some(reference)).map(Self::Secret);
        }
        if is_secret(key) {
            let help = "write \"file:PATH\" or \"env:NAME\"";
            return entry.wrong("must be a reference, not the secret itself", help);
        }
        let value = HeaderValue::from_str(text).ok().filter(|value| value.to_str().is_ok());
        value.map(Self::Text).or_else(|| entry.wrong("is no value of metadata", "write printable ASCII"))
    }

    /// A reference as it is written: what it stands for is never shown.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Text(value) => format!("{:?}", value.to_str().unwrap_or_default()),
            Self::Secret(reference) => match &reference.value {
                Reference::File(path) => format!("\"file:{}\"", path.display()),
                Reference::Env(name) => format!("\"env:{name}\""),
            },
        }
    }
}

/// Names whose values are credentials wherever they occur.
pub(super) fn is_secret(key: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Location;

    #[test]
    fn what_is_secret_is_shown_as_it_is_written() {
        let secret = Located { value: Reference::Env("TOKEN".into()), at: Location::default() };
        let fixed = Fixed(vec![
            (HeaderName::from_static("x-via"), FixedValue::Text(HeaderValue::from_static("a\"b"))),
            (HeaderName::from_static("authorization"), FixedValue::Secret(secret)),
        ]);
        assert_eq!(fixed.show(), "{ \"x-via\" = \"a\\\"b\", \"authorization\" = \"env:TOKEN\" }");
        assert_eq!(fixed.references().count(), 1);
    }
}
