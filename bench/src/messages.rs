//! The messages of `bench/v1/bench.proto`, with the samples that travel and their JSON.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use serde_json::{Value, json};

#[derive(Clone, PartialEq, Message)]
pub struct Item {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub display_name: String,
    #[prost(string, tag = "3")]
    pub description: String,
    #[prost(int64, tag = "4")]
    pub price_cents: i64,
    #[prost(double, tag = "5")]
    pub weight: f64,
    #[prost(bool, tag = "6")]
    pub available: bool,
    #[prost(int32, tag = "7")]
    pub kind: i32,
    #[prost(string, repeated, tag = "8")]
    pub tags: Vec<String>,
    #[prost(message, repeated, tag = "9")]
    pub parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Part {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub count: i32,
    #[prost(double, tag = "3")]
    pub length: f64,
    #[prost(int32, repeated, tag = "4")]
    pub sizes: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct GetRequest {
    #[prost(string, tag = "1")]
    pub id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<Item>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(int64, tag = "1")]
    pub sequence: i64,
    #[prost(string, tag = "2")]
    pub text: String,
}

/// `google.api.HttpBody`.
#[derive(Clone, PartialEq, Message)]
pub struct HttpBody {
    #[prost(string, tag = "1")]
    pub content_type: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
}

/// A sample item; without parts its JSON is about 350 bytes, and each part adds about 115.
#[must_use]
pub fn item(parts: i32) -> Item {
    Item {
        id: "b8f2c1e0-5d7a-4f19-9a53-77d0c2a4e611".to_owned(),
        display_name: "The Left Hand of Darkness".to_owned(),
        description: "A lone human emissary is sent to Winter, a world without sexual prejudice.".to_owned(),
        price_cents: 1_899,
        weight: 0.412,
        available: true,
        kind: 1,
        tags: ["fiction", "hugo", "nebula", "paperback"].map(str::to_owned).to_vec(),
        parts: (0..parts).map(part).collect(),
    }
}

fn part(index: i32) -> Part {
    Part {
        name: format!("chapter number {index}"),
        count: 17 + index,
        length: 12.25 + f64::from(index),
        sizes: (0..8).map(|size| 100 * index + size).collect(),
    }
}

/// The proto3 JSON of an item, as a client writes it.
#[must_use]
pub fn item_json(item: &Item) -> Value {
    let parts: Vec<Value> = item.parts.iter().map(part_json).collect();
    json!({
        "id": item.id,
        "displayName": item.display_name,
        "description": item.description,
        "priceCents": item.price_cents.to_string(),
        "weight": item.weight,
        "available": item.available,
        "kind": "KIND_BOOK",
        "tags": item.tags,
        "parts": parts,
    })
}

fn part_json(part: &Part) -> Value {
    json!({ "name": part.name, "count": part.count, "length": part.length, "sizes": part.sizes })
}

/// A message in its gRPC envelope (PROTOCOL-HTTP2: Length-Prefixed-Message).
#[must_use]
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.put(message.encode_to_vec().as_slice());
    frame.freeze()
}
