//! What was probably meant: the known word that is closest to a wrong one, or the table where a key belongs.

/// The policy keys, told to those who put one elsewhere.
const POLICY: &[&str] = &[
    "timeout",
    "limits",
    "retry",
    "hedge",
    "compression",
    "resume",
    "stream",
    "stream_headers_after",
    "sse",
    "websocket",
    "metadata",
    "json",
    "query",
    "forms",
    "auth",
    "require",
    "cors",
    "rate_limit",
    "headers",
    "success",
];

/// No word that we know is as long as this; the comparison costs the product of the lengths.
const LONGEST: usize = 64;

/// The word that was probably meant.
pub(super) fn closest<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    if word.len() > LONGEST {
        return None;
    }
    let distance = |known: &&'w str| (strsim::damerau_levenshtein(word, known), *known);
    // A third of the letters may differ, and one of a short word.
    let limit = (word.chars().count() / 3).max(1);
    words.iter().map(distance).filter(|(far, _)| *far <= limit).min().map(|(_, known)| known)
}

/// Where a key belongs that stands in the wrong table.
pub(super) fn home(key: &str) -> Option<&'static str> {
    POLICY.contains(&key).then_some("[defaults], [[policies]], [upstreams.NAME] and [[routes]]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_and_another_word_is_not() {
        let words = ["listen", "workers", "tls"];
        for (word, meant) in [
            ("lisen", Some("listen")),
            ("wrokers", Some("workers")),
            ("tsl", Some("tls")),
            ("timeout", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(word, &words), meant, "{word}");
        }
        assert_eq!(closest(&"listen".repeat(1000), &words), None);
    }
}
