//! The codec against the dynamic messages of prost-reflect and buffa and against static prost and serde
//! structs, in the same run: `cargo bench --bench codec`.
//!
//! Variants run in turn, many short rounds; the table gives the tenth percentile and ratios, which are what
//! to read: absolute times are the machine's. All variants are checked to say the same before they are
//! timed, and the codec is checked to allocate nothing once its buffer has grown.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

mod shapes;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use buffa_descriptor::MessageIndex;
use buffa_descriptor::reflect::DynamicMessage as BuffaMessage;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use transom::config::problem::Location;
use transom::schema::{Builder, MessageId};
use transom::transcode::{Codec, ReadOptions, WriteOptions};

/// Counts allocations.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]
// SAFETY: all is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Schemas {
    codec: Codec,
    pool: DescriptorPool,
    buffa: Arc<buffa_descriptor::DescriptorPool>,
}

/// One message and what stands for it.
struct Case {
    name: &'static str,
    id: MessageId,
    descriptor: MessageDescriptor,
    buffa: MessageIndex,
    json: Vec<u8>,
    wire: Vec<u8>,
}

const ROUNDS: usize = 40;
const ROUND: Duration = Duration::from_millis(3);

fn main() {
    let schemas = schemas();
    let pretty = |json: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(json).unwrap();
        serde_json::to_vec_pretty(&value).unwrap()
    };
    println!(
        "| case | bytes in | codec ns | prost-reflect ns | buffa ns | static ns | × prost-reflect | × buffa | × static | \
         allocations |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let small = Case::new(&schemas, "small", "bench.Small", &shapes::small());
    let medium = Case::new(&schemas, "medium", "bench.Medium", &shapes::medium(""));
    let large = Case::new(&schemas, "large", "bench.Large", &shapes::large());
    let escapes = Case::new(&schemas, "escape-heavy", "bench.Medium", &shapes::medium("\"\\\n\t\""));
    let foreign = Case::new(&schemas, "not ASCII", "bench.Medium", &shapes::medium("héé"));
    let value: serde_json::Value = serde_json::from_slice(&medium.json).unwrap();
    let alphabetical =
        Case { name: "alphabetical", json: serde_json::to_vec(&value).unwrap(), ..medium.clone() };
    let spaced = Case { name: "pretty-printed", json: pretty(&medium.json), ..medium.clone() };
    small.read::<shapes::Small>(&schemas);
    medium.read::<shapes::Medium>(&schemas);
    large.read::<shapes::Large>(&schemas);
    for case in [&alphabetical, &escapes, &foreign, &spaced] {
        case.read::<shapes::Medium>(&schemas);
    }
    small.write::<shapes::Small>(&schemas);
    medium.write::<shapes::Medium>(&schemas);
    large.write::<shapes::Large>(&schemas);
    for case in [&escapes, &foreign] {
        case.write::<shapes::Medium>(&schemas);
    }
    medium.twice().write::<shapes::Medium>(&schemas);
}

fn schemas() -> Schemas {
    let set = protox::Compiler::new(["benches"])
        .unwrap()
        .include_imports(true)
        .open_file("codec.proto")
        .unwrap()
        .encode_file_descriptor_set();
    let pool = DescriptorPool::decode(&*set).unwrap();
    let buffa = Arc::new(buffa_descriptor::DescriptorPool::decode(&set).unwrap());
    let mut builder = Builder::default();
    builder.add_set(set.into(), &Location::default());
    Schemas { codec: Codec::new(Arc::new(builder.build().unwrap())), pool, buffa }
}

impl Clone for Case {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            id: self.id,
            descriptor: self.descriptor.clone(),
            buffa: self.buffa,
            json: self.json.clone(),
            wire: self.wire.clone(),
        }
    }
}

impl Case {
    fn new<M: Message + Serialize>(schemas: &Schemas, name: &'static str, message: &str, value: &M) -> Self {
        Self {
            name,
            id: schemas.codec.schema().message_by_name(message).unwrap().id(),
            descriptor: schemas.pool.get_message_by_name(message).unwrap(),
            buffa: schemas.buffa.message_index(message).unwrap(),
            json: serde_json::to_vec(value).unwrap(),
            wire: value.encode_to_vec(),
        }
    }

    /// The same message twice on the wire: no serializer writes so, but the wire format allows it.
    fn twice(&self) -> Self {
        Self { name: "all fields twice", wire: [&*self.wire, &*self.wire].concat(), ..self.clone() }
    }

    fn read<M: Message + Default + DeserializeOwned + PartialEq>(&self, schemas: &Schemas) {
        let options = ReadOptions::default();
        let mut out = Vec::new();
        let mut codec = || {
            out.clear();
            schemas.codec.read(self.id, black_box(&self.json), &options, &mut out).unwrap();
            out.len()
        };
        let reflect = || {
            let mut deserializer = serde_json::Deserializer::from_slice(black_box(&self.json));
            let message = DynamicMessage::deserialize(self.descriptor.clone(), &mut deserializer).unwrap();
            message.encode_to_vec().len()
        };
        let buffa = || {
            let json = std::str::from_utf8(black_box(&self.json)).unwrap();
            let pool = Arc::clone(&schemas.buffa);
            BuffaMessage::from_json(pool, self.buffa, json).unwrap().encode_to_vec().len()
        };
        let fixed = || serde_json::from_slice::<M>(black_box(&self.json)).unwrap().encode_to_vec().len();
        assert_eq!(codec(), reflect());
        assert_eq!(codec(), buffa());
        let allocations = allocations(&mut codec);
        let times = times([&mut codec, &mut { reflect }, &mut { buffa }, &mut { fixed }]);
        print_row(self.name, "JSON → wire", self.json.len(), times, allocations);
        assert!(M::decode(&*out).unwrap() == serde_json::from_slice::<M>(&self.json).unwrap());
    }

    fn write<M: Message + Default + Serialize>(&self, schemas: &Schemas) {
        let options = WriteOptions::default();
        let mut out = Vec::new();
        let mut codec = || {
            out.clear();
            schemas.codec.write(self.id, black_box(&self.wire), &options, &mut out).unwrap();
            out.len()
        };
        let reflect = || {
            let message = DynamicMessage::decode(self.descriptor.clone(), black_box(&*self.wire)).unwrap();
            serde_json::to_vec(&message).unwrap().len()
        };
        let buffa = || {
            let pool = Arc::clone(&schemas.buffa);
            BuffaMessage::decode(pool, self.buffa, black_box(&self.wire)).unwrap().to_json().unwrap().len()
        };
        let fixed = || serde_json::to_vec(&M::decode(black_box(&*self.wire)).unwrap()).unwrap().len();
        codec();
        let allocations = allocations(&mut codec);
        let times = times([&mut codec, &mut { reflect }, &mut { buffa }, &mut { fixed }]);
        print_row(self.name, "wire → JSON", self.wire.len(), times, allocations);
        let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap().to_string();
        let theirs =
            serde_json::to_vec(&DynamicMessage::decode(self.descriptor.clone(), &*self.wire).unwrap());
        assert_eq!(value(&out).replace(".0", ""), value(&theirs.unwrap()).replace(".0", ""));
    }
}

fn allocations(run: &mut dyn FnMut() -> usize) -> usize {
    black_box(run());
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    black_box(run());
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Nanoseconds a run of each, the tenth percentile of many rounds in turn.
fn times<const N: usize>(mut runs: [&mut dyn FnMut() -> usize; N]) -> [f64; N] {
    let mut rounds: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (run, times) in runs.iter_mut().zip(&mut rounds) {
            times.push(round(*run));
        }
    }
    rounds.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 10]
    })
}

fn round(run: &mut dyn FnMut() -> usize) -> f64 {
    let start = Instant::now();
    let mut count = 0_u32;
    loop {
        for _ in 0..16 {
            black_box(run());
        }
        count += 16;
        let elapsed = start.elapsed();
        if elapsed >= ROUND {
            return elapsed.as_secs_f64() * 1e9 / f64::from(count);
        }
    }
}

fn print_row(
    name: &str,
    way: &str,
    bytes: usize,
    [codec, reflect, buffa, fixed]: [f64; 4],
    allocations: usize,
) {
    println!(
        "| {way}, {name} | {bytes} | {codec:.0} | {reflect:.0} | {buffa:.0} | {fixed:.0} | {:.1} | {:.1} | {:.1} | {allocations} |",
        reflect / codec,
        buffa / codec,
        fixed / codec,
    );
}
