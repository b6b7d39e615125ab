//! `transom key new ID`: a new API key. The key goes to its owner, the table to the file of keys.

use std::io;
use std::process::ExitCode;

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use clap::Subcommand;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::problems::{self, print};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make a key; print it once, with the table that belongs into the file of keys.
    New {
        /// The name of the key: letters, digits, `-` and `_`.
        #[arg(value_parser = id)]
        id: String,
    },
}

fn id(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("an id has letters, digits, `-` and `_` only".to_owned())
}

pub(super) fn run(action: &Action) -> ExitCode {
    let Action::New { id } = action;
    if let Some(text) = new(id, &SystemRandom::new()) {
        print(&mut io::stdout(), &text);
        return ExitCode::SUCCESS;
    }
    problems::to_stderr(&[problems::outside("the system has no random bytes".to_owned())]);
    ExitCode::FAILURE
}

/// 256 random bits, so that nobody needs a slow hash to keep them from being guessed.
fn new(id: &str, random: &SystemRandom) -> Option<String> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes).ok()?;
    let secret = BASE64URL.encode_to_string(bytes);
    // A digest shows itself as `SHA256:` and its digits.
    let hash = format!("{:?}", digest(&SHA256, secret.as_bytes()));
    let hex = hash.rsplit(':').next()?;
    Some(format!("# The key, which is not shown again: {id}.{secret}\n[keys.{id}]\nsha256 = \"{hex}\"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_a_key_and_the_table_that_lets_it_in() {
        let text = new("shop", &SystemRandom::new()).unwrap();
        let key = text.lines().next().unwrap().rsplit_once(' ').unwrap().1;
        let secret = key.strip_prefix("shop.").unwrap();
        let bytes = digest(&SHA256, secret.as_bytes()).as_ref().to_vec();
        let (_, table) = text.split_once('\n').unwrap();
        let expected: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(table, format!("[keys.shop]\nsha256 = \"{}\"\n", expected.concat()));
        assert_eq!(secret.len(), 43);
        assert_ne!(new("shop", &SystemRandom::new()).unwrap(), text);
    }
}
