//! What a client's certificate says, once rustls has verified it: its names (RFC 5280 §4.2.1.6) and when
//! it ends (§4.1.2.5).
//!
//! Names are read by webpki, which verified the chain with the same reader. It keeps the end of a
//! certificate to itself; that is read here, by the few steps of DER that lead to it.

use rustls::pki_types::CertificateDer;

use crate::telemetry::guard::ClientCertificate;

/// Reads a certificate; `None` when it is none, which no verified one is.
pub(super) fn certificate(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let parsed = webpki::EndEntityCert::try_from(der).ok()?;
    Some(ClientCertificate {
        uris: parsed.valid_uri_names().map(Box::from).collect(),
        dns: parsed.valid_dns_names().map(Box::from).collect(),
        expires: not_after(der)?,
    })
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// `version`, in a tag of its own.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `tbsCertificate.validity.notAfter`, in seconds since 1970.
fn not_after(der: &[u8]) -> Option<u64> {
    let (certificate, _) = value(SEQUENCE, der)?;
    let (mut rest, _) = value(SEQUENCE, certificate)?;
    if let Some((_, after)) = value(VERSION, rest) {
        rest = after;
    }
    // Serial number, algorithm, issuer; then from when until when.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = value(tag, rest)?.1;
    }
    let (validity, _) = value(SEQUENCE, rest)?;
    let (_, after) = any(validity)?;
    let (tag, time, _) = tagged(after)?;
    seconds(tag, std::str::from_utf8(time).ok()?)
}

/// The content of an element with this tag, and what follows it.
fn value(wanted: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = tagged(der)?;
    (tag == wanted).then_some((content, rest))
}

fn any(der: &[u8]) -> Option<(&[u8], &[u8])> {
    tagged(der).map(|(_, content, rest)| (content, rest))
}

/// Tag, content and rest (X.690 §8.1): lengths to 127 in one byte, longer ones behind their own length.
fn tagged(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short if short & 0x80 == 0 => (usize::from(short), rest),
        long if (0x81..=0x84).contains(&long) => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` from then on (RFC 5280 §4.1.2.5).
fn seconds(tag: u8, text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match tag {
        UTC_TIME if digits.len() == 12 => {
            let year: u64 = digits.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        GENERALIZED_TIME if digits.len() == 14 => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
    let days = days_before(year, part(0)?, part(2)?)?;
    Some(((days * 24 + part(4)?) * 60 + part(6)?) * 60 + part(8)?)
}

/// Days from 1970 to a date of the Gregorian calendar; those before are none.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = lengths.get(..usize::try_from(month.checked_sub(1)?).ok()?)?.iter().sum::<u64>();
    let years = year.checked_sub(1970)?;
    let leaps = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;
    Some(years * 365 + leaps + before + day.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn made(year: i32, month: u8, day: u8) -> ClientCertificate {
        let mut params = CertificateParams::new(vec!["client.example.org".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://example.org/shop".try_into().unwrap()));
        params.not_before = date_time_ymd(1975, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        super::certificate(certificate.der()).unwrap()
    }

    #[test]
    fn names_and_end_are_read() {
        let made = made(2030, 1, 1);
        assert_eq!(made.uris, [Box::from("spiffe://example.org/shop")]);
        assert_eq!(made.dns, [Box::from("client.example.org")]);
        assert_eq!(made.expires, 1_893_456_000);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (year, month, day, expires) in [
            (2000, 2, 29, 951_782_400),
            (2000, 3, 1, 951_868_800),
            (1999, 12, 31, 946_598_400),
            (2024, 12, 31, 1_735_603_200),
            (2049, 12, 31, 2_524_521_600),
            (2050, 1, 1, 2_524_608_000),
            (2100, 3, 1, 4_107_542_400),
            (9999, 12, 31, 253_402_214_400),
        ] {
            assert_eq!(made(year, month, day).expires, expires, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_none_and_no_more() {
        let certificate = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let der = certificate.cert.der();
        for length in 0..der.len() {
            assert!(certificate_of(&der[..length]).is_none(), "{length}");
        }
        for at in 0..der.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = der.to_vec();
                changed[at] = byte;
                certificate_of(&changed);
            }
        }
    }

    fn certificate_of(der: &[u8]) -> Option<ClientCertificate> {
        not_after(der);
        certificate(&CertificateDer::from(der))
    }
}
