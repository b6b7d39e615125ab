//! How long it takes to find a route, and that it hangs on the path and not on the number of routes.
//!
//! `cargo bench --bench router` prints one row a request and one column a size of the router; the last
//! column is the largest router's time as a multiple of the smallest one's.

use std::hint::black_box;
use std::time::{Duration, Instant};

use transom::route::{Router, RouterBuilder, Template};

/// Bindings in each router; the last is about what all of googleapis has.
const SIZES: [usize; 3] = [150, 1_500, 15_000];

/// How long each cell is measured, after as long a warm-up.
const SPAN: Duration = Duration::from_millis(300);

/// The bindings of one resource, as published APIs have them.
const BINDINGS: [(&str, &str); 6] = [
    ("GET", "/v1/{parent=projects/*/locations/*}/KIND"),
    ("POST", "/v1/{parent=projects/*/locations/*}/KIND"),
    ("GET", "/v1/{name=projects/*/locations/*/KIND/*}"),
    ("PATCH", "/v1/{thing.name=projects/*/locations/*/KIND/*}"),
    ("POST", "/v1/{name=projects/*/locations/*/KIND/*}:cancel"),
    ("POST", "/example.v1.KIND/Get"),
];

fn main() {
    let routers: Vec<Router<usize>> = SIZES.iter().map(|size| router(*size)).collect();
    let long = format!("/v1{}", "/a".repeat(4000));
    let requests = [
        ("automatic route", "POST", "/example.v1.Kind7/Get"),
        ("two captures", "GET", "/v1/pairs/one/two"),
        ("list", "GET", "/v1/projects/p/locations/l/Kind7"),
        ("get", "GET", "/v1/projects/my-project/locations/europe-west1/Kind7/some-id"),
        ("get, escaped", "GET", "/v1/projects/my%20project/locations/europe%2Dwest1/Kind7/some%2Fid"),
        ("verb", "POST", "/v1/projects/my-project/locations/europe-west1/Kind7/some-id:cancel"),
        ("405", "DELETE", "/v1/projects/my-project/locations/europe-west1/Kind7/some-id"),
        ("404", "GET", "/v1/projects/my-project/locations/europe-west1/Unkind/some-id"),
        ("404, 8 kB", "GET", long.as_str()),
    ];
    print!("{:16}", "ns a find");
    for size in SIZES {
        print!("{size:>10}");
    }
    println!("{:>8}", "ratio");
    for (label, method, path) in requests {
        let times: Vec<f64> = routers.iter().map(|router| nanoseconds(router, method, path)).collect();
        print!("{label:16}");
        for time in &times {
            print!("{time:>10.0}");
        }
        let ratio = times.first().zip(times.last()).map_or(0.0, |(first, last)| last / first);
        println!("{ratio:>8.2}");
    }
}

/// A router with this many bindings.
fn router(size: usize) -> Router<usize> {
    let mut builder = RouterBuilder::new();
    insert(&mut builder, "GET", "/v1/pairs/{one}/{two}", 0);
    for (index, (method, template)) in (1..size).zip(BINDINGS.iter().cycle()) {
        let kind = format!("Kind{}", (index - 1) / BINDINGS.len());
        insert(&mut builder, method, &template.replace("KIND", &kind), index);
    }
    builder.build()
}

fn insert(builder: &mut RouterBuilder<usize>, method: &str, text: &str, value: usize) {
    let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(builder.insert(method, &template, value).is_ok(), "{method} {text} collides");
}

/// The mean time of one find.
fn nanoseconds(router: &Router<usize>, method: &str, path: &str) -> f64 {
    let mut measured = (0, Duration::ZERO);
    for _warm_up_then_measure in 0..2 {
        let (mut count, start) = (0_u32, Instant::now());
        while start.elapsed() < SPAN {
            for _ in 0..32 {
                _ = black_box(router.find(black_box(method), black_box(path)));
            }
            count += 32;
        }
        measured = (count, start.elapsed());
    }
    measured.1.as_secs_f64() * 1e9 / f64::from(measured.0)
}
