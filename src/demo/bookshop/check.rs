//! What makes a book valid. All that is wrong is told at once.

use prost::Message as _;
use tonic::Status;

use super::fault;
use crate::demo::proto::google::rpc::bad_request::FieldViolation;
use crate::demo::proto::transom::demo::v1::{Book, Genre, Money};

/// The largest book, in bytes of its encoding.
const MAX_BOOK: usize = 8 * 1024;

/// Fails with every field of `book` that is not valid.
pub fn book(book: &Book) -> Result<(), Status> {
    let mut violations = Vec::new();
    let mut require = |holds: bool, field: &str, description: &str| {
        if !holds {
            violations.push(fault::violation(field, description));
        }
    };
    require(!book.title.is_empty(), "book.title", "a book needs a title");
    require(book.pages >= 0, "book.pages", "not a negative number");
    require(Genre::try_from(book.genre).is_ok(), "book.genre", "not a genre of the shop");
    require(book.isbn.as_deref().is_none_or(is_isbn), "book.isbn", "not an ISBN-13 in digits");
    require(book.rating.is_none_or(|rating| (0.0..=5.0).contains(&rating)), "book.rating", "from 0 to 5");
    require(book.copies_sold >= 0, "book.copies_sold", "not a negative number");
    require(book.encoded_len() <= MAX_BOOK, "book", "larger than 8 KiB");
    violations.extend(book.price.as_ref().and_then(money));
    if violations.is_empty() { Ok(()) } else { Err(fault::invalid(violations)) }
}

/// google/type/money.proto: `nanos` is less than one unit and of the sign of `units`; prices are positive.
fn money(price: &Money) -> Option<FieldViolation> {
    let currency = price.currency_code.as_bytes();
    if currency.len() != 3 || !currency.iter().all(u8::is_ascii_uppercase) {
        return Some(fault::violation("book.price.currency_code", "three capital letters, such as EUR"));
    }
    if price.units < 0 {
        return Some(fault::violation("book.price.units", "not a negative number"));
    }
    let whole = (0..1_000_000_000).contains(&price.nanos);
    (!whole).then(|| fault::violation("book.price.nanos", "from 0 to 999999999"))
}

/// Whether `text` is thirteen digits of which the last checks the others (ISO 2108).
pub fn is_isbn(text: &str) -> bool {
    let weighed = |(index, digit): (usize, u8)| {
        let value = char::from(digit).to_digit(10)?;
        Some(if index % 2 == 0 { value } else { 3 * value })
    };
    let sum: Option<u32> = text.bytes().enumerate().map(weighed).sum();
    text.len() == 13 && sum.is_some_and(|sum| sum % 10 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isbn_is_checked_to_its_last_digit() {
        assert!(is_isbn("9780441478125"));
        for wrong in ["", "978044147812", "9780441478124", "97804414781250", "978044147812X", "97804414781é"]
        {
            assert!(!is_isbn(wrong), "{wrong}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let book_of = |price| Book {
            title: String::new(),
            pages: -1,
            genre: 77,
            isbn: Some("1".into()),
            rating: Some(f64::NAN),
            copies_sold: -1,
            price: Some(price),
            ..Book::default()
        };
        let euro = |units, nanos| Money { currency_code: "EUR".into(), units, nanos };
        let status = book(&book_of(euro(0, 1_000_000_000))).unwrap_err();
        assert_eq!(status.message(), "7 fields are not valid");
        let status =
            book(&Book { title: "T".into(), price: Some(euro(-1, 0)), ..Book::default() }).unwrap_err();
        assert_eq!(status.message(), "book.price.units: not a negative number");
        let dollars = Money { currency_code: "usd".into(), ..Money::default() };
        assert!(book(&Book { title: "T".into(), price: Some(dollars), ..Book::default() }).is_err());
        assert!(book(&Book { title: "T".repeat(9000), ..Book::default() }).is_err());
        assert!(
            book(&Book { title: "T".into(), price: Some(euro(9, 999_999_999)), ..Book::default() }).is_ok()
        );
    }
}
