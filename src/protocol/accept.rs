//! `Accept`: which of the media types on offer a client likes best (RFC 9110 §12.5.1).

use std::cmp::Ordering;

use http::HeaderMap;
use http::header::ACCEPT;

/// The offer that the client prefers; the first of equals. `None` when it accepts none of them.
///
/// Without an `Accept`, or with one that cannot be read, the first offer is as good as any.
pub(super) fn choose<T: Copy>(headers: &HeaderMap, offers: &[(&str, T)]) -> Option<T> {
    let ranges: Vec<Range<'_>> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    if ranges.is_empty() {
        return offers.first().map(|(_, offer)| *offer);
    }
    let mut best: Option<(Preference, T)> = None;
    for (media_type, offer) in offers {
        let Some(preference) = preference(&ranges, media_type) else { continue };
        if best.as_ref().is_none_or(|(other, _)| preference.cmp(other) == Ordering::Greater) {
            best = Some((preference, *offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// Quality in thousandths, then how exactly the type was named.
type Preference = (u16, u8);

/// "The most specific reference has precedence"; quality 0 is "not acceptable".
fn preference(ranges: &[Range<'_>], media_type: &str) -> Option<Preference> {
    let matching = ranges.iter().filter_map(|range| Some((range.specificity(media_type)?, range.quality)));
    let (specificity, quality) = matching.max_by_key(|(specificity, _)| *specificity)?;
    (quality > 0).then_some((quality, specificity))
}

struct Range<'a> {
    media_type: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().filter(|media_type| media_type.contains('/'))?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(Self { media_type, quality: weight.map_or(1000, parse_quality) })
    }

    fn specificity(&self, media_type: &str) -> Option<u8> {
        let (family, _) = media_type.split_once('/')?;
        match self.media_type.split_once('/')? {
            ("*", "*") => Some(0),
            (wanted, "*") if wanted.eq_ignore_ascii_case(family) => Some(1),
            _ if self.media_type.eq_ignore_ascii_case(media_type) => Some(2),
            _ => None,
        }
    }
}

/// A weight is `0` or `1` with up to three decimals; what is none counts for nothing.
fn parse_quality(text: &str) -> u16 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let valid = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if valid => 1000,
        "0" if valid => format!("{decimals:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OFFERS: [(&str, &str); 3] =
        [("application/json", "array"), ("application/x-ndjson", "ndjson"), ("text/event-stream", "sse")];

    fn chosen(accept: &'static str) -> Option<&'static str> {
        choose(&[(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect(), &OFFERS)
    }

    #[test]
    fn the_preferred_offer_is_chosen() {
        let cases = [
            ("*/*", Some("array")),
            ("text/event-stream", Some("sse")),
            ("TEXT/Event-Stream;charset=utf-8", Some("sse")),
            ("application/json;q=0.5, application/x-ndjson", Some("ndjson")),
            ("application/*;q=0.2, text/*;q=0.3", Some("sse")),
            ("text/event-stream, */*", Some("sse")),
            ("*/*, application/json;q=0", Some("ndjson")),
            ("application/json;q=0.001, text/event-stream;q=0.01", Some("sse")),
            ("text/html", None),
            ("*/*;q=0", None),
            ("application/json;q=7", None),
            ("nonsense", Some("array")),
        ];
        for (accept, expected) in cases {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
        assert_eq!(choose(&HeaderMap::new(), &OFFERS), Some("array"));
    }
}
