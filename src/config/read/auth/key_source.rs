//! `jwks`: a reference, the URL of an issuer's keys, or what the issuer itself says.

use super::{REFERENCE_FORM, reference_text};
use crate::config::auth::{KeySource, key_url};
use crate::config::entry::Entry;
use crate::config::problem::Located;
use crate::config::table::Table;

/// Where the keys of an issuer are; without `jwks`, where its own document says.
pub(super) fn read(table: &mut Table<'_>, issuer: Option<&Located<String>>) -> Option<Located<KeySource>> {
    if table.has("jwks") {
        return table.located("jwks", written);
    }
    let issuer = issuer?;
    match key_url::discovery(&issuer.value) {
        Ok(document) => Some(Located { value: KeySource::Discovered(document), at: issuer.at.clone() }),
        Err(why) => {
            let help = format!(
                "add jwks = \"https://issuer.example.com/keys.json\"; the issuer cannot be asked for it, as it {why}"
            );
            table.missing("`jwks` is missing", help);
            None
        }
    }
}

fn written(entry: &Entry<'_>) -> Option<KeySource> {
    let text = entry.text()?;
    if !text.contains("://") {
        let help = format!("{REFERENCE_FORM}, or \"https://HOST/PATH\"");
        return reference_text(entry, text, &help).map(KeySource::Reference);
    }
    match key_url::parse(text) {
        Ok(url) => Some(KeySource::Url(url)),
        Err(why) => entry.wrong(format!("the URL {why}"), "write one such as \"https://HOST/PATH\""),
    }
}
