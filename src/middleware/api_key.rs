//! API keys: `ID.SECRET` in a header, or where that is allowed in the query. The file of keys holds the SHA-256 of each secret.
//!
//! Secrets are random and long (`transom key new ID` makes them), so a plain hash serves: there is no
//! list of likely ones to try. Hashes are compared in constant time, and an unknown id costs the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::{HeaderName, HeaderValue, request::Parts};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::credential;
use super::identity::{Identity, Listed};
use super::listed;
use crate::config::auth::ApiKey as Spec;
use crate::rpc::Status;

const HASH: usize = 32;

/// The keys of one block.
#[derive(Debug)]
pub struct ApiKeys {
    policy: Arc<str>,
    header: HeaderName,
    /// The parameter that a key may stand in, too.
    query: Option<Box<str>>,
    keys: HashMap<Box<str>, Key>,
}

#[derive(Debug)]
struct Key {
    sha256: [u8; HASH],
    identity: Arc<Identity>,
}

/// What an entry has.
const FORM: &str = "an entry is `[keys.ID]` with `sha256`, and may have `scopes` and `metadata`";

/// The file: `[keys.ID]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keys: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sha256: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl ApiKeys {
    /// Reads the text of a file of keys.
    ///
    /// # Errors
    /// What is wrong, without any of the text: it is secret.
    pub fn new(policy: &Arc<str>, spec: &Spec, pass: bool, text: &str) -> Result<Self, String> {
        let file: File = listed::read(text, FORM)?;
        let strip = (!pass).then(|| spec.header.clone());
        let mut keys = HashMap::new();
        for (id, entry) in file.keys {
            if id.is_empty() || id.contains('.') {
                return Err("an id is not empty and has no dot: there the secret begins".to_owned());
            }
            let key =
                key(policy, &id, entry, strip.clone()).map_err(|error| format!("keys.{id}: {error}"))?;
            keys.insert(id.into(), key);
        }
        let (header, query) = (spec.header.clone(), spec.query.as_deref().map(Box::from));
        Ok(Self { policy: Arc::clone(policy), header, query, keys })
    }

    /// Names of metadata that identities write.
    pub fn written(&self) -> impl Iterator<Item = &HeaderName> {
        self.keys.values().flat_map(|key| key.identity.metadata.iter().map(|(name, _)| name))
    }

    /// The challenge of a 401. No scheme is registered for keys in headers of their own.
    #[must_use]
    pub fn challenge(&self) -> HeaderValue {
        credential::challenge("ApiKey", &self.policy, &[("header", self.header.as_str())])
    }

    /// The parameter that a key may stand in, which is to be taken out of a request's target.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Looks for a key in the head of a request; `None` when there is none.
    ///
    /// # Errors
    /// A key that is not good.
    pub fn authenticate(&self, head: &Parts) -> Result<Option<Arc<Identity>>, Status> {
        let header = credential::only(&head.headers, &self.header)?.map(HeaderValue::to_str);
        let query = self.query.as_deref().map_or(Ok(None), |name| credential::parameter(head, name))?;
        let text = match (header, query) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(credential::malformed("there are two API keys")),
            (Some(text), None) => text.ok(),
            (None, text) => text,
        };
        let found = text.and_then(|text| self.find(text));
        found.map(Some).ok_or_else(|| {
            credential::invalid("API_KEY_INVALID", "the API key is not known", self.challenge())
        })
    }

    fn find(&self, text: &str) -> Option<Arc<Identity>> {
        let (id, secret) = text.split_once('.')?;
        let key = self.keys.get(id);
        let hash = digest(&SHA256, secret.as_bytes());
        // Compared whether the id is known or not, so that the time does not tell which ids are.
        let expected = key.map_or([0; HASH], |key| key.sha256);
        let equal = bool::from(hash.as_ref().ct_eq(&expected));
        key.filter(|_| equal).map(|key| Arc::clone(&key.identity))
    }
}

fn key(policy: &Arc<str>, id: &str, entry: Entry, strip: Option<HeaderName>) -> Result<Key, String> {
    let sha256 = parse_hex(&entry.sha256).ok_or("sha256 must be 64 hexadecimal digits")?;
    let listed = Listed { scopes: entry.scopes, metadata: entry.metadata };
    let identity = listed.identity(policy, id, strip)?;
    Ok(Key { sha256, identity })
}

fn parse_hex(text: &str) -> Option<[u8; HASH]> {
    let mut bytes = [0; HASH];
    if text.len() != 2 * HASH || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::credential::{FromQuery, Secret};
    use super::*;
    use crate::config::auth::Reference;
    use crate::config::problem::{Located, Location};

    /// The SHA-256 of "secret".
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn keys() -> ApiKeys {
        let text = format!(
            "[keys.shop]\nsha256 = \"{SECRET}\"\nscopes = [\"read\"]\nmetadata = {{ \"x-user\" = \"shop\" }}\n"
        );
        ApiKeys::new(&"partners".into(), &spec(), false, &text).unwrap()
    }

    fn spec() -> Spec {
        let value = Reference::Env(String::new());
        Spec {
            keys: Located { value, at: Location::default() },
            header: HeaderName::from_static("x-api-key"),
            query: Some("key".into()),
        }
    }

    fn ask(values: &[&str]) -> Result<Option<Arc<Identity>>, Status> {
        let mut request = http::Request::new(());
        for value in values {
            request.headers_mut().append("x-api-key", HeaderValue::from_str(value).unwrap());
        }
        keys().authenticate(&request.into_parts().0)
    }

    #[test]
    fn a_key_is_its_id_and_its_secret() {
        let identity = ask(&["shop.secret"]).unwrap().unwrap();
        assert_eq!((&*identity.subject, &*identity.policy), ("shop", "partners"));
        assert!(ask(&[]).unwrap().is_none());
        for bad in
            ["shop.wrong", "shop.", "shop", "other.secret", ".secret", "shop.secret.", " ", "SHOP.secret"]
        {
            assert_eq!(ask(&[bad]).unwrap_err().reason().as_deref(), Some("API_KEY_INVALID"), "{bad}");
        }
        assert_eq!(ask(&["shop.secret", "shop.secret"]).unwrap_err().http_status(), 400);
        // The hash itself is no secret that opens anything.
        assert!(ask(&[&format!("shop.{SECRET}")]).is_err());
    }

    #[test]
    fn a_key_may_stand_in_the_query_but_not_in_two_places() {
        let ask = |header: Option<&'static str>, query: &[&str]| {
            let mut request = http::Request::new(());
            if let Some(header) = header {
                request.headers_mut().insert("x-api-key", HeaderValue::from_static(header));
            }
            let taken = query.iter().map(|&value| (Box::from("key"), Secret(value.to_owned())));
            request.extensions_mut().insert(FromQuery(taken.collect()));
            keys().authenticate(&request.into_parts().0).map(|identity| identity.is_some())
        };
        assert!(ask(None, &["shop.secret"]).unwrap());
        assert!(!ask(None, &[]).unwrap());
        assert_eq!(ask(None, &["shop.wrong"]).unwrap_err().http_status(), 401);
        assert_eq!(ask(None, &["shop.secret", "shop.secret"]).unwrap_err().http_status(), 400);
        assert_eq!(ask(Some("shop.secret"), &["shop.secret"]).unwrap_err().http_status(), 400);
        assert_eq!(format!("{:?}", Secret("shop.secret".into())), "***");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_its_text() {
        for (text, wrong) in [
            ("[keys.a]\nsha256 = \"topsecret\"", "keys.a: sha256 must be 64 hexadecimal digits"),
            ("[keys.\"a.topsecret\"]\nsha256 = \"x\"", "an id is not empty and has no dot"),
            ("[keys.a]\nsecret = \"topsecret\"", "line 2 is not as it should be: an entry is `[keys.ID]`"),
            ("[keys.a.topsecret]\nsha256 = \"x\"", "line 1 is not as it should be"),
            ("[keys]\n\na = \"topsecret\"", "line 3 is not as it should be"),
            ("[keys.a]\nsha256 = \"x\"\nscopes = \"topsecret\"", "line 3 is not as it should be"),
            ("topsecret", "line 1 is not as it should be"),
        ] {
            let error = ApiKeys::new(&"p".into(), &spec(), false, text).unwrap_err();
            assert!(error.starts_with(wrong) && !error.contains("topsecret"), "{error}");
        }
        let text = format!("[keys.a]\nsha256 = \"{SECRET}\"\nmetadata = {{ \"grpc-timeout\" = \"1S\" }}");
        assert!(ApiKeys::new(&"p".into(), &spec(), false, &text).is_err());
    }
}
