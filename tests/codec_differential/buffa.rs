//! A second opinion: buffa's dynamic messages, which share no code with prost-reflect's and pass protobuf's
//! own suite. The messages are made as for the first.

use std::sync::{Arc, LazyLock};

use buffa_descriptor::DescriptorPool;
use buffa_descriptor::reflect::DynamicMessage;
use proptest::prelude::*;
use prost::Message as _;

use super::normal;
use super::schemas::{BOTH, descriptor_set};
use super::tape::{Tape, made};

static POOL: LazyLock<Arc<DescriptorPool>> =
    LazyLock::new(|| Arc::new(DescriptorPool::decode(&descriptor_set()).unwrap()));

fn read(name: &str, json: &str) -> Result<Vec<u8>, String> {
    let message = DynamicMessage::from_json(Arc::clone(&POOL), POOL.message_index(name).unwrap(), json);
    message.map(|message| message.encode_to_vec()).map_err(|error| error.to_string())
}

fn write(name: &str, wire: &[u8]) -> Result<String, String> {
    let message = DynamicMessage::decode(Arc::clone(&POOL), POOL.message_index(name).unwrap(), wire);
    message.map_err(|error| error.to_string())?.to_json().map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Compared by what it is read back to: in a wrapper, buffa prints a float with the digits of a double.
    #[test]
    fn it_writes_the_same_json(tape in prop::collection::vec(any::<u8>(), 0..400)) {
        let (name, message) = made(&tape);
        let wire = message.encode_to_vec();
        match (BOTH.write(name, &wire), write(name, &wire)) {
            (Ok(ours), Ok(theirs)) => {
                let back = BOTH.read(name, &theirs).unwrap();
                prop_assert_eq!(normal(&ours), normal(&BOTH.write(name, &back).unwrap()));
            }
            (ours, theirs) => prop_assert_eq!(ours.is_err(), theirs.is_err(), "{:?} {:?}", ours, theirs),
        }
    }

    #[test]
    fn it_reads_the_same_message(tape in prop::collection::vec(any::<u8>(), 0..400)) {
        let (name, message) = made(&tape);
        let Ok(json) = BOTH.write(name, &message.encode_to_vec()) else { return Ok(()) };
        let theirs = read(name, &json).unwrap_or_else(|error| panic!("{error}: {json}"));
        let ours = BOTH.read(name, &json).unwrap();
        prop_assert_eq!(normal(&BOTH.write(name, &ours).unwrap()), normal(&BOTH.write(name, &theirs).unwrap()));
    }

    /// Edition 2023 has what proto2 has, under the same numbers: delimited messages, open and closed enums, fields
    /// with and without presence.
    #[test]
    fn it_agrees_about_edition_2023(tape in prop::collection::vec(any::<u8>(), 0..400)) {
        let name = "protobuf_test_messages.editions.TestAllTypesEdition2023";
        let origin = BOTH.descriptor("protobuf_test_messages.proto2.TestAllTypesProto2");
        let wire = Tape(tape.iter()).message(&origin, 0).encode_to_vec();
        match (BOTH.write(name, &wire), write(name, &wire)) {
            (Ok(ours), Ok(theirs)) => {
                let back = BOTH.read(name, &theirs).unwrap_or_else(|error| panic!("{error}: {theirs}"));
                prop_assert_eq!(normal(&ours), normal(&BOTH.write(name, &back).unwrap()));
                let read = read(name, &ours).unwrap_or_else(|error| panic!("{error}: {ours}"));
                prop_assert_eq!(normal(&BOTH.write(name, &read).unwrap()), normal(&ours));
            }
            (ours, theirs) => prop_assert_eq!(ours.is_err(), theirs.is_err(), "{:?} {:?}", ours, theirs),
        }
    }
}
