//! The table of faults: everything that an upstream (U) and the network before it (N) can do to a call,
//! each with what its client gets. A fault is tried here through a whole gateway; where another file tries
//! it closer, with more variants, the table says which.
//!
//! | fault | a client gets | tried |
//! |---|---|---|
//! | U1 refused, U2 no answer to SYN, U3 accepted then silent | 503, or another endpoint's answer | `faults/upstream.rs` |
//! | U4 TLS: wrong name, expired | 503 | `faults/upstream.rs`; `upstream/addresses.rs` |
//! | U5 graceful GOAWAY with 100 in flight | every answer | `faults/upstream.rs`; streams: `upstream/failover.rs` |
//! | U6 GOAWAY below what is in flight | the answer, by one transparent retry | `upstream/raw.rs` |
//! | U7 REFUSED_STREAM | the answer, by a transparent retry, of writes too | `faults/upstream.rs`; `upstream/failover.rs` |
//! | U8 reset after the head | 500, and no second try | `faults/upstream.rs`; `upstream/hostile.rs` |
//! | U9 end without trailers | 502; a stream is cut off, never ended | `faults/upstream.rs`; `streams.rs` |
//! | U10 Trailers-Only | the service's own status | `faults/upstream.rs`; `errors.rs` |
//! | U11 stall after the head | 504, and the call is cancelled | `faults/upstream.rs` |
//! | U12 stall within a stream | `STREAM_IDLE`, where a limit is set, and the call is cancelled | `faults/upstream.rs` |
//! | U13 MAX_CONCURRENT_STREAMS = 1, lowered live | the answer, over further connections | `upstream/limits.rs`, `upstream/raw.rs` |
//! | U14 bad base64 of details, U15 status 99, none, two, U16 bad or huge message | the code as far as it can be read | `faults/upstream.rs` |
//! | U17 lengths that lie, flags, compression unasked for | 502 | `hostile.rs`; `upstream/hostile.rs` |
//! | U18 a bomb of compression | 502 in little memory | `faults/upstream.rs` |
//! | U19 messages that cannot be decoded or shown | 502 in little memory | `hostile.rs` |
//! | U20 HTML, 301, 429, 503 | the nearest status | `faults/upstream.rs`; `upstream/hostile.rs` |
//! | U21 a server of HTTP/1.1 | 503 | `faults/upstream.rs` |
//! | U22 a flood of tiny messages | all of them, at the client's pace, in little memory | `faults/upstream.rs`; `upstream/calls.rs` |
//! | U23 too_many_pings | the answer, over a new connection whose interval is twice as long | `upstream/raw.rs` |
//! | U24 pushback | the answer when it was allowed; otherwise the error at once | `upstream/retries.rs` |
//! | U25 half of all endpoints fail, one of three is dead, all are | reads notice nothing; 503 at once | `faults/upstream.rs`; `upstream/outliers.rs` |
//! | U26 health flips, is unknown, hangs | calls go where it is well | `upstream/health.rs` |
//! | U27 huge and endless trailers | the status as far as it can be read | `faults/upstream.rs`; `upstream/raw.rs` |
//! | U28 a second message, frames after the end | 502; nothing | `faults/upstream.rs`; `upstream/raw.rs` |
//! | N1 latency, N2 loss, N7 reordering and duplicates | every answer, later; no write twice; TCP makes delays of all | `faults/network.rs` |
//! | N3 64 kbit/s | the answer, or 504 at its deadline | `faults/network.rs` |
//! | N4 RST in flight | reads: the answer; writes: 503, sent once | `faults/network.rs` |
//! | N5 partition that heals | 504 meanwhile, then answers; streams go on | `faults/network.rs` |
//! | N6 packets above a size vanish | 504, and the connection is given up | `faults/network.rs` |
//! | N8 names: no answer, none yet, others, a thousand | the last good addresses | `upstream/channel/tests.rs` of the library |
//! | N9 a connection that was forgotten on the way | reads: the answer, over a new one | `faults/network.rs` |
//! | N10 an endpoint without power | answers of the others | `faults/network.rs` |

mod network;
mod upstream;

use crate::support::gateway::Gateway;
use crate::support::shop::PROTO;
use crate::support::site::Site;

/// A gateway in front of endpoints, with `more` in the upstream's table.
async fn before(endpoints: &[&str], more: &str) -> Gateway {
    let config = format!(
        "[[schema]]\nprotos = [\"shop.proto\"]\n\n[upstreams.shop]\nendpoints = {endpoints:?}\n{more}\n"
    );
    Site::new(&config).file("shop.proto", PROTO).serve().await
}

/// A read ends so: HTTP status, code, reason.
async fn read_ends(gateway: &Gateway, expected: (u16, u64, &str)) {
    let (http, code, reason, origin) = gateway.get("/v1/items/1").fetch().await.refusal();
    assert_eq!((http, code, reason.as_str()), expected);
    assert_eq!(origin, "upstream");
}

/// So many reads go well.
async fn reads_go_well(gateway: &Gateway, count: usize) {
    for _ in 0..count {
        let answer = gateway.get("/v1/items/1").fetch().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
