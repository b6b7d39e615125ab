//! What a catalogue keeps, refuses and forgets.

use tonic::Code;

use super::super::seed;
use super::*;

fn titled(title: &str) -> Book {
    Book { title: title.into(), ..Book::default() }
}

fn code<T>(result: Result<T, Status>) -> Option<Code> {
    result.err().map(|status| status.code())
}

#[test]
fn a_book_lives_from_creation_to_deletion() {
    let mut catalogue = seed::catalogue();
    let book = catalogue.create_book("shelves/1", titled("Emma")).unwrap();
    assert_eq!(book.name, "shelves/1/books/6");
    assert!(book.added.is_some());
    assert_eq!(catalogue.book(&book.name).unwrap(), &book);
    catalogue.delete_book(&book.name).unwrap();
    assert_eq!(code(catalogue.book(&book.name)), Some(Code::NotFound));
    assert_eq!(code(catalogue.delete_book(&book.name)), Some(Code::NotFound));
    // Its number is not used again.
    assert_eq!(catalogue.create_book("shelves/1", titled("Emma")).unwrap().name, "shelves/1/books/7");
}

#[test]
fn a_shelf_with_books_comes_down_by_force_only() {
    let mut catalogue = seed::catalogue();
    assert_eq!(code(catalogue.delete_shelf("shelves/2", false)), Some(Code::FailedPrecondition));
    catalogue.delete_shelf("shelves/2", true).unwrap();
    assert_eq!(code(catalogue.shelf("shelves/2")), Some(Code::NotFound));
    let empty = catalogue.create_shelf(&Shelf { theme: "Poetry".into(), ..Shelf::default() }).unwrap();
    assert_eq!((empty.name.as_str(), empty.book_count), ("shelves/6", 0));
    catalogue.delete_shelf(&empty.name, false).unwrap();
}

#[test]
fn a_change_that_is_not_valid_changes_nothing() {
    let mut catalogue = seed::catalogue();
    let before = catalogue.book("shelves/1/books/1").unwrap().clone();
    let spoil = |book: &mut Book| {
        book.title.clear();
        Ok(())
    };
    assert_eq!(code(catalogue.change(&before.name, spoil)), Some(Code::InvalidArgument));
    let fail = |book: &mut Book| {
        book.title.clear();
        Err(Status::aborted("no"))
    };
    assert_eq!(code(catalogue.change(&before.name, fail)), Some(Code::Aborted));
    assert_eq!(catalogue.book(&before.name).unwrap(), &before);
}

#[test]
fn nothing_grows_without_limit() {
    let mut catalogue = seed::catalogue();
    let filled = (0..).find_map(|_| catalogue.create_book("shelves/1", titled("T")).err()).unwrap();
    assert_eq!((filled.code(), catalogue.len()), (Code::ResourceExhausted, MAX_BOOKS));
    let theme = Shelf { theme: "T".into(), ..Shelf::default() };
    let filled = (0..).find_map(|_| catalogue.create_shelf(&theme).err()).unwrap();
    assert_eq!((filled.code(), catalogue.shelves().len()), (Code::ResourceExhausted, MAX_SHELVES));
    assert_eq!(code(catalogue.create_shelf(&Shelf::default())), Some(Code::InvalidArgument));

    let gif = || {
        let body = HttpBody { content_type: "image/gif".into(), data: "GIF89a".into(), extensions: vec![] };
        Cover::parse(body).unwrap()
    };
    let names: Vec<_> = catalogue.books(None).unwrap().iter().map(|(name, _)| name.to_string()).collect();
    let filled = names.iter().position(|name| catalogue.set_cover(name, gif()).is_err());
    assert_eq!(filled, Some(MAX_COVERS));
    catalogue.set_cover(&names[0], gif()).unwrap();
}

#[test]
fn a_given_cover_replaces_the_drawn_one() {
    let mut catalogue = seed::catalogue();
    let name = "shelves/1/books/1";
    assert_eq!(catalogue.cover(name).unwrap().content_type, "image/svg+xml");
    let body = HttpBody { content_type: "image/gif".into(), data: "GIF89a".into(), extensions: vec![] };
    catalogue.set_cover(name, Cover::parse(body.clone()).unwrap()).unwrap();
    assert_eq!(catalogue.cover(name).unwrap(), body);
}

#[test]
fn a_client_cannot_create_a_book_that_is_lent_or_named() {
    use crate::demo::proto::transom::demo::v1::{Loan, book::Availability};
    let availability = Some(Availability::Loan(Loan { reader: "Eve".into(), due: None }));
    let book = Book { name: "mine".into(), availability, ..titled("T") };
    let book = seed::catalogue().create_book("shelves/3", book).unwrap();
    assert_eq!((book.name.as_str(), book.availability), ("shelves/3/books/5", None));
}

#[test]
fn isbn_with_hyphens_is_found_and_an_unknown_one_is_not() {
    let catalogue = seed::catalogue();
    assert_eq!(catalogue.book_by_isbn("978-0-441-17271-9").unwrap().title, "Dune");
    assert_eq!(code(catalogue.book_by_isbn("9780306406157")), Some(Code::NotFound));
    assert_eq!(code(catalogue.book_by_isbn("1")), Some(Code::InvalidArgument));
}
