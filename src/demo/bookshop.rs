//! `Bookshop`: the unary service over the [`Catalogue`].
//!
//! Each method here takes a request apart and hands it on; what is allowed and what happens stands in
//! the modules below.
#![expect(clippy::similar_names, reason = "a shop has shelves, and Rust has self")]

mod catalogue;
mod check;
mod cover;
mod filter;
mod name;
pub mod seed;
mod update;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tonic::{Request, Response, Status};

use self::catalogue::Catalogue;
use self::cover::Cover;
use super::fault;
use super::proto::google::api::HttpBody;
use super::proto::transom::demo::v1::get_book_request::Key;
use super::proto::transom::demo::v1::{
    Book, BorrowBookRequest, CoverInfo, CreateBookRequest, CreateShelfRequest, DeleteBookRequest,
    DeleteShelfRequest, GetBookRequest, GetCoverRequest, GetShelfRequest, ListBooksRequest,
    ListBooksResponse, ListShelvesRequest, ListShelvesResponse, ReturnBookRequest, SetCoverRequest, Shelf,
    UpdateBookRequest, bookshop_server,
};

/// The shop that all services share.
#[derive(Clone)]
pub struct Shop(Arc<Mutex<Catalogue>>);

impl Shop {
    /// A shop with the books of [`seed`].
    pub fn seeded() -> Self {
        Self(Arc::new(Mutex::new(seed::catalogue())))
    }

    /// The catalogue, for as long as the guard is held: never across an await.
    pub fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        // A panic elsewhere leaves a catalogue that is whole: every change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service.
pub struct Bookshop {
    pub shop: Shop,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl bookshop_server::Bookshop for Bookshop {
    async fn list_shelves(&self, _: Request<ListShelvesRequest>) -> Answer<ListShelvesResponse> {
        Ok(Response::new(ListShelvesResponse { shelves: self.shop.catalogue().shelves() }))
    }

    async fn get_shelf(&self, request: Request<GetShelfRequest>) -> Answer<Shelf> {
        self.shop.catalogue().shelf(&request.into_inner().name).map(Response::new)
    }

    async fn create_shelf(&self, request: Request<CreateShelfRequest>) -> Answer<Shelf> {
        let shelf = request.into_inner().shelf.unwrap_or_default();
        self.shop.catalogue().create_shelf(&shelf).map(Response::new)
    }

    async fn delete_shelf(&self, request: Request<DeleteShelfRequest>) -> Answer<()> {
        let DeleteShelfRequest { name, force } = request.into_inner();
        self.shop.catalogue().delete_shelf(&name, force).map(Response::new)
    }

    async fn list_books(&self, request: Request<ListBooksRequest>) -> Answer<ListBooksResponse> {
        filter::list(&self.shop.catalogue(), &request.into_inner()).map(Response::new)
    }

    async fn get_book(&self, request: Request<GetBookRequest>) -> Answer<Book> {
        let catalogue = self.shop.catalogue();
        let book = match request.into_inner().key {
            Some(Key::Name(name)) => catalogue.book(&name),
            Some(Key::Isbn(isbn)) => catalogue.book_by_isbn(&isbn),
            None => Err(fault::invalid_field("name", "name a book, or give its isbn")),
        };
        book.cloned().map(Response::new)
    }

    async fn create_book(&self, request: Request<CreateBookRequest>) -> Answer<Book> {
        let CreateBookRequest { parent, book } = request.into_inner();
        self.shop.catalogue().create_book(&parent, book.unwrap_or_default()).map(Response::new)
    }

    async fn update_book(&self, request: Request<UpdateBookRequest>) -> Answer<Book> {
        let UpdateBookRequest { book, update_mask } = request.into_inner();
        let change = book.unwrap_or_default();
        let change_book = |book: &mut Book| update::apply(book, &change, update_mask.as_ref());
        self.shop.catalogue().change(&change.name, change_book).map(Response::new)
    }

    async fn delete_book(&self, request: Request<DeleteBookRequest>) -> Answer<()> {
        self.shop.catalogue().delete_book(&request.into_inner().name).map(Response::new)
    }

    async fn borrow_book(&self, request: Request<BorrowBookRequest>) -> Answer<Book> {
        let BorrowBookRequest { name, reader, loan_period } = request.into_inner();
        let lend = |book: &mut Book| update::lend(book, &reader, loan_period);
        self.shop.catalogue().change(&name, lend).map(Response::new)
    }

    async fn return_book(&self, request: Request<ReturnBookRequest>) -> Answer<Book> {
        self.shop.catalogue().change(&request.into_inner().name, update::bring_back).map(Response::new)
    }

    async fn get_cover(&self, request: Request<GetCoverRequest>) -> Answer<HttpBody> {
        self.shop.catalogue().cover(&request.into_inner().name).map(Response::new)
    }

    async fn set_cover(&self, request: Request<SetCoverRequest>) -> Answer<CoverInfo> {
        let SetCoverRequest { name, cover } = request.into_inner();
        let cover = Cover::parse(cover.unwrap_or_default())?;
        let info = cover.info();
        self.shop.catalogue().set_cover(&name, cover)?;
        Ok(Response::new(info))
    }

    async fn inspect_cover(&self, request: Request<HttpBody>) -> Answer<CoverInfo> {
        Ok(Response::new(cover::inspect(&request.into_inner())))
    }
}
