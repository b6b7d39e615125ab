//! The messages of `shop.proto`, by their numbers: what a scripted upstream reads and writes knows
//! nothing of the codec that is tested. And the configurations that most tests start from.

use std::net::SocketAddr;

use prost::Message;

use super::gateway::Gateway;
use super::script::Script;
use super::site::Site;
use super::upstream::{Seen, Upstream};

pub const PROTO: &str = include_str!("../shop.proto");

/// The paths of gRPC.
pub const GET: &str = "/shop.v1.Shop/Get";
pub const WATCH: &str = "/shop.v1.Shop/Watch";
pub const COLLECT: &str = "/shop.v1.Shop/Collect";
pub const TALK: &str = "/shop.v1.Shop/Talk";

#[derive(Clone, PartialEq, Message)]
pub struct Item {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub title: String,
    #[prost(int64, tag = "3")]
    pub price: i64,
    #[prost(string, repeated, tag = "4")]
    pub tags: Vec<String>,
    #[prost(int32, tag = "5")]
    pub size: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Shelf {
    #[prost(int32, tag = "1")]
    pub number: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct GetRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub shelf: Option<Shelf>,
    #[prost(bool, tag = "3")]
    pub deep: bool,
    #[prost(string, repeated, tag = "4")]
    pub fields: Vec<String>,
    #[prost(int32, tag = "5")]
    pub size: i32,
    #[prost(int64, tag = "6")]
    pub revision: i64,
    #[prost(string, tag = "7")]
    pub after: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<Item>,
    #[prost(string, tag = "2")]
    pub next: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct CreateRequest {
    #[prost(message, optional, tag = "1")]
    pub item: Option<Item>,
    #[prost(bool, tag = "2")]
    pub dry_run: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct FieldMask {
    #[prost(string, repeated, tag = "1")]
    pub paths: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct UpdateRequest {
    #[prost(message, optional, tag = "1")]
    pub item: Option<Item>,
    #[prost(message, optional, tag = "2")]
    pub mask: Option<FieldMask>,
}

/// `google.api.HttpBody`.
#[derive(Clone, PartialEq, Message)]
pub struct HttpBody {
    #[prost(string, tag = "1")]
    pub content_type: String,
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub content: Option<HttpBody>,
}

#[derive(Clone, PartialEq, Message)]
pub struct StoreRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub parcel: Option<Parcel>,
    #[prost(bool, tag = "3")]
    pub dry_run: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Parcel {
    #[prost(string, tag = "1")]
    pub sender: String,
    #[prost(message, optional, tag = "2")]
    pub content: Option<HttpBody>,
}

/// An item of a name.
pub fn item(name: &str) -> Item {
    Item { name: name.into(), ..Item::default() }
}

/// The bytes of a message.
pub fn wire(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// The only message of a call.
pub fn request<M: Message + Default>(seen: &Seen) -> M {
    let messages = seen.messages();
    assert_eq!(messages.len(), 1, "one message in {seen:?}");
    M::decode(messages[0].clone()).unwrap()
}

/// A configuration for `shop.proto` behind an upstream; `more` follows its table.
pub fn config(upstream: &Upstream, more: &str) -> String {
    config_at(upstream.address, more)
}

fn config_at(address: SocketAddr, more: &str) -> String {
    format!(
        "[[schema]]\nprotos = [\"shop.proto\"]\n\n[upstreams.shop]\nendpoints = [\"http://{address}\"]\n{more}\n"
    )
}

/// A folder with that configuration and the proto.
pub fn site(upstream: &Upstream, more: &str) -> Site {
    Site::new(&config(upstream, more)).file("shop.proto", PROTO)
}

/// The same for an upstream at an address.
pub fn site_at(address: SocketAddr) -> Site {
    Site::new(&config_at(address, "")).file("shop.proto", PROTO)
}

/// A gateway in front of an upstream that plays a script for every call.
pub async fn behind(script: Script) -> (Upstream, Gateway) {
    scripted("", move |_| script.clone()).await
}

/// A gateway, with `more` in its configuration, in front of a scripted upstream.
pub async fn scripted(
    more: &str,
    scripts: impl Fn(&Seen) -> Script + Send + Sync + 'static,
) -> (Upstream, Gateway) {
    let upstream = Upstream::start(scripts).await;
    let gateway = site(&upstream, more).serve().await;
    (upstream, gateway)
}
