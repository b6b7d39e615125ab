//! The books that the shop opens with: real ones, by their ISBN.

use std::collections::HashMap;

use prost_types::Timestamp;

use super::catalogue::Catalogue;
use crate::demo::proto::transom::demo::v1::book::Availability;
use crate::demo::proto::transom::demo::v1::{Author, Book, Genre, Loan, Money};

mod data;

use data::{Row, SECTIONS};

/// When the first book came, in seconds since 1970: 2024-01-15 09:00 UTC. The others came day by day, so
/// that every start of the shop is the same.
const OPENED: i64 = 1_705_309_200;
const DAY: i64 = 24 * 60 * 60;

/// Who has the book that is lent when the shop opens, and until when: 2027-01-01 UTC.
const READER: &str = "Molly";
const DUE: i64 = 1_798_761_600;

/// The title of a book, any book, chosen by `number`.
pub fn title(number: u64) -> &'static str {
    let count: u64 = SECTIONS.iter().flat_map(|section| section.books).map(|_| 1).sum();
    let mut titles = SECTIONS.iter().flat_map(|section| section.books).map(|row| row.title);
    let index = number.checked_rem(count).unwrap_or_default();
    usize::try_from(index).ok().and_then(|index| titles.nth(index)).unwrap_or_default()
}

/// A catalogue with all of them.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let mut days = 0..;
    for section in SECTIONS {
        let books = section.books.iter().zip(&mut days);
        catalogue
            .add_shelf(section.theme, books.map(|(row, day)| book(section.genre, row, OPENED + day * DAY)));
    }
    catalogue
}

fn book(genre: Genre, row: &Row, added: i64) -> Book {
    let (units, nanos) = row.price;
    Book {
        name: String::new(),
        title: row.title.to_owned(),
        subtitle: row.subtitle.map(str::to_owned),
        authors: row.authors.iter().map(author).collect(),
        genre: genre.into(),
        first_published: row.editions.iter().map(|(year, _)| *year).min().unwrap_or_default(),
        pages: row.pages,
        isbn: Some(row.isbn.to_owned()),
        rating: row.rating,
        price: Some(Money { currency_code: "EUR".to_owned(), units, nanos }),
        labels: HashMap::from([("binding".to_owned(), row.binding.to_owned())]),
        editions: row.editions.iter().map(|(year, publisher)| (*year, (*publisher).to_owned())).collect(),
        added: Some(Timestamp { seconds: added, nanos: 0 }),
        copies_sold: row.copies_sold,
        availability: Some(row.place.map_or_else(lent, |place| Availability::Place(place.to_owned()))),
    }
}

fn author(&(given_name, family_name, born): &(&str, &str, i32)) -> Author {
    Author { given_name: given_name.to_owned(), family_name: family_name.to_owned(), born }
}

fn lent() -> Availability {
    Availability::Loan(Loan { reader: READER.to_owned(), due: Some(Timestamp { seconds: DUE, nanos: 0 }) })
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn every_book_is_valid_and_stands_under_its_isbn() {
        let catalogue = catalogue();
        assert_eq!(catalogue.shelves().len(), SECTIONS.len());
        for (name, book) in catalogue.books(None).unwrap() {
            check::book(book).unwrap_or_else(|status| panic!("{name}: {status}"));
            let isbn = book.isbn.as_deref().unwrap();
            assert_eq!(catalogue.book_by_isbn(isbn).unwrap().name, name.to_string());
        }
    }

    #[test]
    fn every_number_is_some_title() {
        let mut titles: Vec<_> = (0..22).map(title).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), catalogue().len());
        assert!(!title(u64::MAX).is_empty());
    }
}
