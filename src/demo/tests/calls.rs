//! Calls of all four kinds, by the generated clients over HTTP/2.

use futures_util::{StreamExt as _, stream};
use prost::Message as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::super::proto::google::api::HttpBody;
use super::super::proto::google::rpc;
use super::super::proto::transom::demo::v1::bookshop_client::BookshopClient;
use super::super::proto::transom::demo::v1::chat_client::ChatClient;
use super::super::proto::transom::demo::v1::failures_client::FailuresClient;
use super::super::proto::transom::demo::v1::files_client::FilesClient;
use super::super::proto::transom::demo::v1::get_book_request::Key;
use super::super::proto::transom::demo::v1::import_client::ImportClient;
use super::super::proto::transom::demo::v1::ticker_client::TickerClient;
use super::super::proto::transom::demo::v1::{
    Book, CreateBookRequest, DownloadRequest, FailRequest, GetBookRequest, GetCoverRequest,
    ImportBooksRequest, SetCoverRequest, TalkRequest, UpdateBookRequest, WatchRequest,
};
use super::super::{Running, start};

async fn demo() -> (Running, Channel) {
    let running = start("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", running.addr)).unwrap();
    (running, endpoint.connect().await.unwrap())
}

fn details(status: &Status) -> rpc::Status {
    rpc::Status::decode(status.details()).unwrap()
}

#[tokio::test]
async fn unary_calls_read_and_change_books() {
    let (_running, channel) = demo().await;
    let mut shop = BookshopClient::new(channel);
    let create = CreateBookRequest {
        parent: "shelves/1".into(),
        book: Some(Book { title: "Emma".into(), ..Book::default() }),
    };
    let created = shop.create_book(create).await.unwrap().into_inner();
    let change = Book { name: created.name.clone(), pages: 474, ..Book::default() };
    let update = UpdateBookRequest { book: Some(change), update_mask: None };
    let updated = shop.update_book(update).await.unwrap().into_inner();
    let get = GetBookRequest { key: Some(Key::Name(created.name.clone())) };
    let got = shop.get_book(get).await.unwrap().into_inner();
    assert_eq!((&got, got.title.as_str(), got.pages), (&updated, "Emma", 474));

    let missing = GetBookRequest { key: Some(Key::Name("shelves/9/books/9".into())) };
    let status = shop.get_book(missing).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(details(&status).details[0].type_url, "type.googleapis.com/google.rpc.ResourceInfo");
}

#[tokio::test]
async fn covers_go_up_and_come_down() {
    let (_running, channel) = demo().await;
    let mut shop = BookshopClient::new(channel);
    let name = "shelves/1/books/1".to_owned();
    let cover = HttpBody { content_type: "image/gif".into(), data: "GIF89a".into(), extensions: vec![] };
    let set = SetCoverRequest { name: name.clone(), cover: Some(cover.clone()) };
    let info = shop.set_cover(set).await.unwrap().into_inner();
    assert_eq!((info.size, info.format.as_str()), (6, "image/gif"));
    assert_eq!(shop.get_cover(GetCoverRequest { name }).await.unwrap().into_inner(), cover);
    assert_eq!(shop.inspect_cover(cover).await.unwrap().into_inner(), info);
}

#[tokio::test]
async fn a_server_stream_comes_and_fails_in_the_middle() {
    let (_running, channel) = demo().await;
    let interval = Some(prost_types::Duration::default());
    let request = WatchRequest { count: 9, interval, fail_after: Some(2), ..WatchRequest::default() };
    let mut sales = TickerClient::new(channel).watch(request).await.unwrap().into_inner();
    assert_eq!(sales.message().await.unwrap().unwrap().cursor, 1);
    assert_eq!(sales.message().await.unwrap().unwrap().cursor, 2);
    assert_eq!(sales.message().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_client_stream_is_summed_up() {
    let (_running, channel) = demo().await;
    let request = |title: &str| ImportBooksRequest {
        parent: "shelves/1".into(),
        book: Some(Book { title: title.into(), ..Book::default() }),
        validate_only: false,
    };
    let requests = stream::iter([request("One"), request(""), request("Three")]);
    let summary = ImportClient::new(channel).import_books(requests).await.unwrap().into_inner();
    assert_eq!((summary.received, summary.imported, summary.refusals.len()), (3, 2, 1));
}

#[tokio::test]
async fn a_talk_goes_back_and_forth() {
    let (_running, channel) = demo().await;
    let (say, hear) = conversation();
    let mut answers = ChatClient::new(channel).talk(hear).await.unwrap().into_inner();
    for number in 1..=3 {
        say(Some("whales"));
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.number, answer.in_reply_to.as_str()), (number, "whales"));
    }
    say(None);
    assert!(answers.message().await.unwrap().unwrap().goodbye);
    assert!(answers.message().await.unwrap().is_none());
}

/// A stream of requests, and what feeds it: a text, or the end.
fn conversation() -> (impl Fn(Option<&str>), impl futures_core::Stream<Item = TalkRequest> + Send + 'static) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let say = move |text: Option<&str>| sender.send(text.map(str::to_owned)).unwrap();
    let next = |mut receiver: tokio::sync::mpsc::UnboundedReceiver<Option<String>>| async move {
        let text = receiver.recv().await.flatten()?;
        Some((TalkRequest { text, ..TalkRequest::default() }, receiver))
    };
    (say, stream::unfold(receiver, next))
}

#[tokio::test]
async fn files_go_down_and_up() {
    let (_running, channel) = demo().await;
    let mut files = FilesClient::new(channel);
    let request = DownloadRequest { size: 100_000, content_type: String::new() };
    let down = files.download(request).await.unwrap().into_inner();
    let messages: Vec<HttpBody> = down.map(Result::unwrap).collect().await;
    let count = i64::try_from(messages.len()).unwrap();
    let summary = files.upload(stream::iter(messages)).await.unwrap().into_inner();
    assert_eq!((summary.size, summary.messages), (100_000, count));
    assert_eq!(summary.content_type, "application/octet-stream");
}

#[tokio::test]
async fn the_failure_carries_details_of_known_and_unknown_types() {
    let (_running, channel) = demo().await;
    let status = FailuresClient::new(channel).fail(FailRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = details(&status);
    assert_eq!((details.code, details.message.as_str()), (3, status.message()));
    let types: Vec<_> = details.details.iter().map(|any| any.type_url.rsplit_once('/').unwrap().1).collect();
    assert_eq!(types, ["google.rpc.BadRequest", "google.rpc.RetryInfo", "transom.demo.private.Incident"]);
}

#[tokio::test]
async fn dropping_ends_endless_streams_and_frees_the_port() {
    let (running, channel) = demo().await;
    let addr = running.addr;
    let sales = TickerClient::new(channel).watch(WatchRequest::default()).await.unwrap().into_inner();
    tokio::task::spawn_blocking(move || running.shutdown()).await.unwrap();
    let end = sales.map(Result::err).collect::<Vec<_>>().await;
    assert!(end.last().unwrap().is_some(), "the stream was cut, not ended");
    start(addr).unwrap();
}

#[test]
fn a_port_in_use_is_an_error() {
    let running = start("127.0.0.1:0".parse().unwrap()).unwrap();
    assert_eq!(start(running.addr).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}
