//! When a call must have ended, and the headers that say so on the wire: `grpc-timeout`,
//! `connect-timeout-ms` and `x-request-timeout`. Which of them counts is for the adapters to know.

use std::time::{Duration, Instant};

/// The moment at which a call fails with `DEADLINE_EXCEEDED`, whatever it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// What is wrong with a timeout: it is not of its header's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTimeout;

impl Deadline {
    /// The deadline that lies `timeout` ahead; `None` where the clock cannot tell so far ahead,
    /// which is as good as no deadline.
    #[must_use]
    pub fn after(timeout: Duration) -> Option<Self> {
        Instant::now().checked_add(timeout).map(Self)
    }

    /// The moment itself.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// The time that is left; zero when the deadline has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The nearer of two deadlines, either of which may be missing.
    #[must_use]
    pub fn nearest(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// Reads the value of `grpc-timeout`: at most eight digits and a unit
/// (gRPC PROTOCOL-HTTP2, "Timeout").
///
/// # Errors
/// When the value is not of that form.
pub fn parse_grpc_timeout(value: &[u8]) -> Result<Duration, InvalidTimeout> {
    let (&unit, amount) = value.split_last().ok_or(InvalidTimeout)?;
    let amount = digits(amount, 8)?;
    match unit {
        b'H' => Ok(Duration::from_secs(amount * 3600)),
        b'M' => Ok(Duration::from_secs(amount * 60)),
        b'S' => Ok(Duration::from_secs(amount)),
        b'm' => Ok(Duration::from_millis(amount)),
        b'u' => Ok(Duration::from_micros(amount)),
        b'n' => Ok(Duration::from_nanos(amount)),
        _ => Err(InvalidTimeout),
    }
}

/// Reads the value of `connect-timeout-ms`: milliseconds in at most ten digits
/// (Connect protocol, "Timeout").
///
/// # Errors
/// When the value is not of that form.
pub fn parse_connect_timeout(value: &[u8]) -> Result<Duration, InvalidTimeout> {
    digits(value, 10).map(Duration::from_millis)
}

/// Reads the value of `x-request-timeout`: decimal seconds such as `2` or `0.25`, in at most ten digits
/// and nine behind the point.
///
/// # Errors
/// When the value is not of that form.
pub fn parse_request_timeout(value: &[u8]) -> Result<Duration, InvalidTimeout> {
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = digits(parts.next().unwrap_or_default(), 10)?;
    let Some(fraction) = parts.next() else { return Ok(Duration::from_secs(seconds)) };
    let mut nanos = digits(fraction, 9)?;
    for _ in fraction.len()..9 {
        nanos *= 10;
    }
    Ok(Duration::from_secs(seconds) + Duration::from_nanos(nanos))
}

/// A number of one to `most` digits and nothing else; `most` is small enough for 64 bits.
fn digits(text: &[u8], most: usize) -> Result<u64, InvalidTimeout> {
    if text.is_empty() || text.len() > most {
        return Err(InvalidTimeout);
    }
    text.iter().try_fold(0, |amount, digit| {
        digit.is_ascii_digit().then(|| amount * 10 + u64::from(digit - b'0')).ok_or(InvalidTimeout)
    })
}

/// Writes a `grpc-timeout` in the finest unit that eight digits can hold.
#[must_use]
pub fn format_grpc_timeout(timeout: Duration) -> String {
    const MAX: u128 = 99_999_999;
    let units = [
        ("u", timeout.as_micros()),
        ("m", timeout.as_millis()),
        ("S", u128::from(timeout.as_secs())),
        ("M", u128::from(timeout.as_secs() / 60)),
    ];
    units.into_iter().find(|(_, amount)| *amount <= MAX).map_or_else(
        || format!("{}H", (timeout.as_secs() / 3600).min(99_999_999)),
        |(unit, amount)| format!("{amount}{unit}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        let cases = [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("99999999n", Duration::from_nanos(99_999_999)),
            ("0S", Duration::ZERO),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_grpc_timeout(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_timeout() {
        for text in ["", "S", "1", "1s", "123456789S", "-1S", "+1S", "1.5S", " 1S", "1S ", "1h"] {
            assert_eq!(parse_grpc_timeout(text.as_bytes()), Err(InvalidTimeout), "{text}");
        }
    }

    #[test]
    fn reads_the_milliseconds_of_connect() {
        for (text, expected) in [("0", 0), ("5", 5), ("0250", 250), ("9999999999", 9_999_999_999)] {
            assert_eq!(parse_connect_timeout(text.as_bytes()), Ok(Duration::from_millis(expected)), "{text}");
        }
        for text in ["", "-1", "+1", "1.5", "1m", " 1", "1 ", "12345678901", "\u{661}"] {
            assert_eq!(parse_connect_timeout(text.as_bytes()), Err(InvalidTimeout), "{text}");
        }
    }

    #[test]
    fn reads_decimal_seconds() {
        let cases = [
            ("0", Duration::ZERO),
            ("2", Duration::from_secs(2)),
            ("0.25", Duration::from_millis(250)),
            ("1.050", Duration::from_millis(1050)),
            ("0.000000001", Duration::from_nanos(1)),
            ("9999999999.999999999", Duration::new(9_999_999_999, 999_999_999)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_request_timeout(text.as_bytes()), Ok(expected), "{text}");
        }
        let wrong = ["", ".", ".5", "5.", "1.2.3", "-1", "+1", "1e3", "1s", " 1", "1,5", "inf", "NaN"];
        for text in wrong.into_iter().chain(["12345678901", "0.1234567890", "1.-5"]) {
            assert_eq!(parse_request_timeout(text.as_bytes()), Err(InvalidTimeout), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for timeout in [
            Duration::from_micros(7),
            Duration::from_secs(15),
            Duration::from_secs(86_400),
            Duration::from_secs(9_000_000_000),
        ] {
            let text = format_grpc_timeout(timeout);
            let read = parse_grpc_timeout(text.as_bytes()).unwrap();
            assert!(read <= timeout && timeout < read + Duration::from_secs(3600), "{text}");
        }
    }

    #[test]
    fn the_nearest_deadline_wins() {
        let near = Deadline::after(Duration::from_secs(1));
        let far = Deadline::after(Duration::from_secs(2));
        assert_eq!(Deadline::nearest(near, far), near);
        assert_eq!(Deadline::nearest(None, far), far);
        assert_eq!(Deadline::nearest(None, None), None);
    }
}
