//! How a book changes: by a field mask, by being lent and by being brought back.

use std::time::{Duration, SystemTime};

use prost_types::FieldMask;
use tonic::Status;

use super::fault;
use crate::demo::proto::transom::demo::v1::book::Availability;
use crate::demo::proto::transom::demo::v1::{Book, Loan};

/// Four weeks.
const LOAN_PERIOD: Duration = Duration::from_secs(4 * 7 * 24 * 60 * 60);

/// A year.
const MAX_LOAN_PERIOD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The longest name of a reader, in bytes.
const MAX_READER: usize = 200;

/// Where a book goes that is brought back.
const RETURNS: &str = "the trolley of returns";

/// Copies one field from the second book to the first.
type CopyField = fn(&mut Book, &Book);

/// The paths that a mask may name.
const FIELDS: &[(&str, CopyField)] = &[
    ("title", |to, from| to.title.clone_from(&from.title)),
    ("subtitle", |to, from| to.subtitle.clone_from(&from.subtitle)),
    ("authors", |to, from| to.authors.clone_from(&from.authors)),
    ("genre", |to, from| to.genre = from.genre),
    ("first_published", |to, from| to.first_published = from.first_published),
    ("pages", |to, from| to.pages = from.pages),
    ("isbn", |to, from| to.isbn.clone_from(&from.isbn)),
    ("rating", |to, from| to.rating = from.rating),
    ("price", |to, from| to.price.clone_from(&from.price)),
    ("labels", |to, from| to.labels.clone_from(&from.labels)),
    ("editions", |to, from| to.editions.clone_from(&from.editions)),
    ("copies_sold", |to, from| to.copies_sold = from.copies_sold),
    ("place", copy_place),
];

/// Paths inside of messages: a mask may name them, a whole book need not.
const INNER_FIELDS: &[(&str, CopyField)] = &[
    ("price.currency_code", |to, from| {
        let code = from.price.as_ref().map(|price| price.currency_code.clone());
        to.price.get_or_insert_default().currency_code = code.unwrap_or_default();
    }),
    ("price.units", |to, from| {
        to.price.get_or_insert_default().units = from.price.as_ref().map_or(0, |price| price.units);
    }),
    ("price.nanos", |to, from| {
        to.price.get_or_insert_default().nanos = from.price.as_ref().map_or(0, |price| price.nanos);
    }),
];

/// Output only: a mask may name them, to no effect (AIP-161).
const OUTPUT_ONLY: &[&str] = &["name", "added", "loan"];

/// A new book out of what a client sent: it comes now, and no reader has it.
pub fn new(book: Book) -> Book {
    let availability = book.availability.filter(|it| matches!(it, Availability::Place(_)));
    Book { added: Some(SystemTime::now().into()), availability, ..book }
}

/// Copies to `book` the fields of `change` that `mask` names. No mask means the fields that `change`
/// sets, `*` all of them (AIP-134).
pub fn apply(book: &mut Book, change: &Book, mask: Option<&FieldMask>) -> Result<(), Status> {
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    match paths {
        [] => copy_set(book, change),
        [all] if all == "*" => FIELDS.iter().for_each(|(_, copy)| copy(book, change)),
        paths => return paths.iter().try_for_each(|path| copy_path(book, change, path)),
    }
    Ok(())
}

fn copy_set(book: &mut Book, change: &Book) {
    for (_, copy) in FIELDS {
        let mut alone = Book::default();
        copy(&mut alone, change);
        if alone != Book::default() {
            copy(book, change);
        }
    }
}

fn copy_path(book: &mut Book, change: &Book, path: &str) -> Result<(), Status> {
    if OUTPUT_ONLY.contains(&path) {
        return Ok(());
    }
    let known = FIELDS.iter().chain(INNER_FIELDS).find(|(name, _)| *name == path);
    let (_, copy) = known.ok_or_else(|| {
        fault::invalid_field("update_mask", format!("{path:?} is no path of Book to change"))
    })?;
    copy(book, change);
    Ok(())
}

/// A place is only taken from, and only given to, a book that is not with a reader.
fn copy_place(to: &mut Book, from: &Book) {
    if matches!(to.availability, Some(Availability::Loan(_))) {
        return;
    }
    to.availability = match &from.availability {
        Some(Availability::Place(place)) => Some(Availability::Place(place.clone())),
        Some(Availability::Loan(_)) | None => None,
    };
}

/// Lends `book` to `reader`, from now on.
pub fn lend(book: &mut Book, reader: &str, period: Option<prost_types::Duration>) -> Result<(), Status> {
    if reader.is_empty() || reader.len() > MAX_READER {
        return Err(fault::invalid_field("reader", "from 1 to 200 bytes"));
    }
    let period = loan_period(period)?;
    if matches!(book.availability, Some(Availability::Loan(_))) {
        return Err(fault::precondition("LENT", &book.name, "the book is with a reader already"));
    }
    let due = SystemTime::now() + period;
    book.availability = Some(Availability::Loan(Loan { reader: reader.to_owned(), due: Some(due.into()) }));
    Ok(())
}

fn loan_period(asked: Option<prost_types::Duration>) -> Result<Duration, Status> {
    let Some(asked) = asked else { return Ok(LOAN_PERIOD) };
    match Duration::try_from(asked) {
        Ok(period) if !period.is_zero() && period <= MAX_LOAN_PERIOD => Ok(period),
        _ => Err(fault::invalid_field("loan_period", "more than 0s, at most 31536000s")),
    }
}

/// Takes `book` back from its reader.
pub fn bring_back(book: &mut Book) -> Result<(), Status> {
    if !matches!(book.availability, Some(Availability::Loan(_))) {
        return Err(fault::precondition("NOT_LENT", &book.name, "the book is not with a reader"));
    }
    book.availability = Some(Availability::Place(RETURNS.to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::proto::transom::demo::v1::Money;
    use tonic::Code;

    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() }
    }

    fn dune() -> Book {
        let price = Some(Money { currency_code: "USD".into(), units: 10, nanos: 5 });
        Book {
            name: "n".into(),
            title: "Dune".into(),
            pages: 412,
            rating: Some(4.0),
            price,
            ..Book::default()
        }
    }

    #[test]
    fn a_mask_changes_what_it_names_and_nothing_else() {
        let change = Book { title: "X".into(), pages: 1, name: "other".into(), ..Book::default() };
        let mut book = dune();
        apply(&mut book, &change, Some(&mask(&["pages", "rating", "name"]))).unwrap();
        assert_eq!(book, Book { pages: 1, rating: None, ..dune() });
    }

    #[test]
    fn a_mask_reaches_into_a_message() {
        let price = Some(Money { units: 12, ..Money::default() });
        let mut book = dune();
        apply(&mut book, &Book { price, ..Book::default() }, Some(&mask(&["price.units"]))).unwrap();
        assert_eq!(book.price, Some(Money { currency_code: "USD".into(), units: 12, nanos: 5 }));
    }

    #[test]
    fn without_a_mask_what_is_set_counts_and_with_a_star_everything() {
        let change = Book { pages: 1, rating: Some(0.0), ..Book::default() };
        for none in [None, Some(mask(&[]))] {
            let mut book = dune();
            apply(&mut book, &change, none.as_ref()).unwrap();
            assert_eq!(book, Book { pages: 1, rating: Some(0.0), ..dune() });
        }
        let mut book = dune();
        apply(&mut book, &change, Some(&mask(&["*"]))).unwrap();
        assert_eq!(book, Book { name: "n".into(), ..change });
    }

    #[test]
    fn an_unknown_path_is_refused() {
        for path in ["", "*.title", "titel", "price.", "authors.born", "availability"] {
            let status = apply(&mut dune(), &dune(), Some(&mask(&["title", path]))).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{path}");
        }
    }

    #[test]
    fn a_book_is_lent_once_and_comes_back_once() {
        let mut book = dune();
        assert!(bring_back(&mut book).is_err());
        lend(&mut book, "Ada", None).unwrap();
        assert_eq!(lend(&mut book, "Eve", None).unwrap_err().code(), Code::FailedPrecondition);
        bring_back(&mut book).unwrap();
        assert_eq!(book.availability, Some(Availability::Place(RETURNS.into())));
    }

    #[test]
    fn a_change_does_not_take_a_book_from_its_reader() {
        let mut book = dune();
        lend(&mut book, "Ada", None).unwrap();
        let availability = Some(Availability::Place("here".into()));
        apply(&mut book, &Book { availability, ..Book::default() }, Some(&mask(&["place"]))).unwrap();
        assert!(matches!(book.availability, Some(Availability::Loan(_))));
    }

    #[test]
    fn a_loan_has_a_reader_and_a_bounded_period() {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        for period in [seconds(0), seconds(-1), seconds(31_536_001), seconds(i64::MAX)] {
            assert!(lend(&mut dune(), "Ada", period).is_err(), "{period:?}");
        }
        assert!(lend(&mut dune(), "", None).is_err());
        assert!(lend(&mut dune(), &"x".repeat(201), None).is_err());
        assert!(lend(&mut dune(), "Ada", seconds(31_536_000)).is_ok());
    }
}
