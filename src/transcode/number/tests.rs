//! Tests of numbers: exactness, ranges and forms.

use super::*;

fn whole(text: &str) -> Result<i128, BadNumber> {
    let number = Decimal::read(text.as_bytes(), 0)?;
    assert_eq!(number.end, text.len(), "{text}");
    let magnitude = i128::from(number.magnitude()?);
    Ok(if number.negative { -magnitude } else { magnitude })
}

#[test]
fn whole_numbers_in_every_spelling() {
    let cases = [
        ("0", 0),
        ("-0", 0),
        ("18446744073709551615", i128::from(u64::MAX)),
        ("-9223372036854775808", i128::from(i64::MIN)),
        ("9999999999999999999", 9_999_999_999_999_999_999),
        ("1e5", 100_000),
        ("1E+5", 100_000),
        ("100000.000", 100_000),
        ("1.5e1", 15),
        ("1500e-2", 15),
        ("0e999999999999999999999", 0),
        ("0.000e-99999999999", 0),
        ("1.8446744073709551615e19", i128::from(u64::MAX)),
        ("0.00000000000000000001e20", 1),
        ("10000000000000000000000e-22", 1),
    ];
    for (text, value) in cases {
        assert_eq!(whole(text), Ok(value), "{text}");
    }
}

#[test]
fn what_is_no_whole_number_or_too_great() {
    for text in ["1.5", "1e-1", "0.1", "123e-3", "1e-99999999999999999999"] {
        assert_eq!(whole(text), Err(BadNumber::Fraction), "{text}");
    }
    for text in ["18446744073709551616", "1e20", "99999999999999999999", "1e99999999999999999999"] {
        assert_eq!(whole(text), Err(BadNumber::Range), "{text}");
    }
    for text in ["", "-", "01", "-01", "00", "1.", ".5", "1.e5", "1e", "1e+", "+1", "e5", "--1"] {
        assert_eq!(whole(text), Err(BadNumber::Syntax), "{text}");
    }
}

#[test]
fn doubles_are_those_of_the_standard_library() {
    let texts = [
        "0",
        "-0",
        "1",
        "0.1",
        "-0.1",
        "59.197540000000004",
        "59.19754",
        "1e22",
        "1e23",
        "9007199254740993",
        "9007199254740992",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072014e-308",
        "1e-400",
        "123456789012345678901234567890",
        "0.3",
        "3.14159",
        "100e-2",
        "1e-22",
        "1e-23",
    ];
    for text in texts {
        let number = Decimal::read(text.as_bytes(), 0).unwrap();
        if let Some((value, end)) = plain_double(text.as_bytes(), 0) {
            assert_eq!(
                (value.to_bits(), end),
                (text.parse::<f64>().unwrap().to_bits(), text.len()),
                "{text}"
            );
        }
        assert_eq!(double(&number).unwrap().to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        if let Ok(float) = float(&number) {
            assert_eq!(float.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
        } else {
            assert!(text.parse::<f32>().unwrap().is_infinite(), "{text}");
        }
    }
    assert_eq!(double(&Decimal::read(b"1e309", 0).unwrap()), Err(BadNumber::Range));
    assert_eq!(float(&Decimal::read(b"3.502823e+38", 0).unwrap()), Err(BadNumber::Range));
    assert_eq!(double(&Decimal::read(b"-1e9999999999999", 0).unwrap()), Err(BadNumber::Range));
}

#[test]
fn a_float_is_not_rounded_twice() {
    // Halfway between two floats as a double, above it as written.
    let text = "1.00000005960464477540";
    let number = Decimal::read(text.as_bytes(), 0).unwrap();
    assert_eq!(float(&number), Ok(text.parse::<f32>().unwrap()));
}

#[test]
fn a_megabyte_of_digits_is_read_once() {
    let long = format!("1{}e-{}", "0".repeat(1 << 20), 1 << 20);
    assert_eq!(whole(&long), Ok(1));
    let long = format!("0.{}1", "0".repeat(1 << 20));
    assert_eq!(double(&Decimal::read(long.as_bytes(), 0).unwrap()), Ok(0.0));
}

#[test]
fn plain_numbers_are_those_of_the_exact_way() {
    let pieces = ["", "0", "1", "12345678", "123456789", "9999999999999999999", "00", "-", ".", "e", "x"];
    for first in pieces {
        for second in pieces {
            for third in pieces {
                let text = format!("{first}{second}{third}");
                let exact = Decimal::read(text.as_bytes(), 0);
                if let Some((negative, magnitude, end)) = plain_integer(text.as_bytes(), 0) {
                    let exact = exact.unwrap();
                    assert_eq!(
                        (negative, Ok(magnitude), end),
                        (exact.negative, exact.magnitude(), exact.end),
                        "{text}"
                    );
                }
                if let Some((value, end)) = plain_double(text.as_bytes(), 0) {
                    let exact = exact.unwrap();
                    assert_eq!(
                        (Ok(value.to_bits()), end),
                        (double(&exact).map(f64::to_bits), exact.end),
                        "{text}"
                    );
                }
            }
        }
    }
}
