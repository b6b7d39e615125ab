//! The shapes of `codec.proto` as structs: what a service compiled for its types would use.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it serializes by reference")]

use prost::Message;
use serde::{Deserialize, Serialize};

/// 64-bit integers are strings in ProtoJSON.
mod text {
    pub fn serialize<S: serde::Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text: std::borrow::Cow<'de, str> = serde::Deserialize::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Enums are names in ProtoJSON.
mod status {
    const NAMES: [&str; 3] = ["STATUS_UNSPECIFIED", "STATUS_OPEN", "STATUS_PAID"];

    pub fn serialize<S: serde::Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        match usize::try_from(*value).ok().and_then(|index| NAMES.get(index)) {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_i32(*value),
        }
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        let text: std::borrow::Cow<'de, str> = serde::Deserialize::deserialize(deserializer)?;
        let index = NAMES.iter().position(|name| *name == text);
        index
            .and_then(|index| i32::try_from(index).ok())
            .ok_or_else(|| serde::de::Error::custom("unknown status"))
    }
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Small {
    #[prost(int64, tag = "1")]
    #[serde(with = "text")]
    pub id: i64,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(bool, tag = "3")]
    pub active: bool,
    #[prost(double, tag = "4")]
    pub score: f64,
    #[prost(int32, tag = "5")]
    pub count: i32,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Address {
    #[prost(string, tag = "1")]
    pub street: String,
    #[prost(string, tag = "2")]
    pub city: String,
    #[prost(string, tag = "3")]
    pub postal_code: String,
    #[prost(string, tag = "4")]
    pub country: String,
    #[prost(double, tag = "5")]
    pub latitude: f64,
    #[prost(double, tag = "6")]
    pub longitude: f64,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Customer {
    #[prost(int64, tag = "1")]
    #[serde(with = "text")]
    pub id: i64,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub email: String,
    #[prost(message, repeated, tag = "4")]
    pub addresses: Vec<Address>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Item {
    #[prost(string, tag = "1")]
    pub sku: String,
    #[prost(string, tag = "2")]
    pub title: String,
    #[prost(int32, tag = "3")]
    pub quantity: i32,
    #[prost(double, tag = "4")]
    pub unit_price: f64,
    #[prost(string, repeated, tag = "5")]
    pub tags: Vec<String>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Medium {
    #[prost(string, tag = "1")]
    pub order_id: String,
    #[prost(message, optional, tag = "2")]
    pub customer: Option<Customer>,
    #[prost(message, repeated, tag = "3")]
    pub items: Vec<Item>,
    #[prost(int32, tag = "4")]
    #[serde(with = "status")]
    pub status: i32,
    #[prost(int64, tag = "5")]
    #[serde(with = "text")]
    pub created_at_millis: i64,
    #[prost(int64, tag = "6")]
    #[serde(with = "text")]
    pub updated_at_millis: i64,
    #[prost(double, tag = "7")]
    pub total: f64,
    #[prost(double, tag = "8")]
    pub tax: f64,
    #[prost(string, tag = "9")]
    pub currency: String,
    #[prost(string, tag = "10")]
    pub note: String,
    #[prost(bool, tag = "11")]
    pub gift: bool,
    #[prost(int32, repeated, tag = "12")]
    pub discounts: Vec<i32>,
    #[prost(uint32, tag = "13")]
    pub revision: u32,
    #[prost(string, tag = "14")]
    pub channel: String,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Row {
    #[prost(int64, tag = "1")]
    #[serde(with = "text")]
    pub id: i64,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub point: Option<Point>,
    #[prost(double, tag = "4")]
    pub value: f64,
    #[prost(int32, repeated, tag = "5")]
    pub codes: Vec<i32>,
    #[prost(bool, tag = "6")]
    pub flag: bool,
    #[prost(string, tag = "7")]
    pub comment: String,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    #[prost(double, tag = "1")]
    pub x: f64,
    #[prost(double, tag = "2")]
    pub y: f64,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Large {
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<Row>,
}

pub fn small() -> Small {
    Small { id: 9_007_199_254_740_993, name: "Ada Lovelace".into(), active: true, score: 98.25, count: 42 }
}

/// `dressed` is put around each piece of prose: nothing, or what has to be escaped.
pub fn medium(dressed: &str) -> Medium {
    let prose = |text: &str| format!("{dressed}{text}{dressed}");
    let address = |number: i32| Address {
        street: prose(&format!("{number} Rue de la Paix")),
        city: prose("Paris"),
        postal_code: format!("750{number:02}"),
        country: "FR".into(),
        latitude: 48.869_25 + f64::from(number) / 1000.0,
        longitude: 2.331_1 - f64::from(number) / 1000.0,
    };
    let item = |number: i32| Item {
        sku: format!("SKU-{number:06}"),
        title: prose(&format!("A thing of some use, number {number}")),
        quantity: number % 4 + 1,
        unit_price: f64::from(number) * 3.35 + 0.99,
        tags: vec!["new".into(), prose("on sale")],
    };
    Medium {
        order_id: "ord_01HZX3V9Q2".into(),
        customer: Some(Customer {
            id: 123_456_789,
            name: prose("Grace Hopper"),
            email: "grace@example.com".into(),
            addresses: (1..=2).map(address).collect(),
        }),
        items: (1..=9).map(item).collect(),
        status: 2,
        created_at_millis: 1_767_225_600_000,
        updated_at_millis: 1_767_312_000_123,
        total: 1234.56,
        tax: 197.53,
        currency: "EUR".into(),
        note: prose("Please leave it with the neighbour if nobody is at home."),
        gift: true,
        discounts: vec![5, 10, 150, 2000],
        revision: 7,
        channel: "web".into(),
    }
}

pub fn large() -> Large {
    let row = |number: i32| Row {
        id: i64::from(number) * 1_000_003,
        name: format!("row number {number}"),
        point: Some(Point { x: f64::from(number) * 0.37, y: -f64::from(number) / 7.0 }),
        value: f64::from(number) * 1.125,
        codes: vec![number, number * 2, number % 7],
        flag: number % 2 == 0,
        comment: "a comment of the usual length, with nothing in it".into(),
    };
    Large { rows: (1..=1000).map(row).collect() }
}
