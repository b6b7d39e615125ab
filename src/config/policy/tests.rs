//! Defaults and the forms in which policy values are shown.

use super::*;

#[test]
fn defaults_are_those_of_the_reference() {
    let rows: Vec<_> = effective(&[]).into_iter().map(|row| format!("{} = {}", row.key, row.value)).collect();
    let expected = [
        "timeout = \"15s\"",
        "timeout (streams) = \"none\"",
        "stream = \"auto\"",
        "stream_headers_after = \"250ms\"",
        "limits.body = \"4MiB\"",
        "limits.message = \"4MiB\"",
        "limits.in_flight = 1024",
        "limits.streams = 10000",
        "limits.idle = \"none\"",
        "limits.age = \"none\"",
        "retry.attempts = 3",
        "retry.codes = [\"UNAVAILABLE\"]",
        "retry.backoff = \"25ms\"",
        "retry.max_backoff = \"250ms\"",
        "retry.per_attempt = \"none\"",
        "retry.idempotent = \"derived\"",
        "hedge = false",
        "resume = false",
        "json.int64 = \"string\"",
        "json.enums = \"name\"",
        "json.names = \"json\"",
        "json.defaults = \"omit\"",
        "json.unknown_fields = \"reject\"",
        "json.enum_case = \"exact\"",
        "json.enum_prefix = \"keep\"",
        "json.envelope = false",
        "json.fields = false",
        "query.unknown = \"reject\"",
        "query.ignore = []",
        "forms = false",
        "sse.heartbeat = \"15s\"",
        "sse.retry = \"2s\"",
        "sse.event = \"message\"",
        "sse.event_field = false",
        "websocket.message = \"1MiB\"",
        "websocket.frame = \"256KiB\"",
        "websocket.idle_ping = \"20s\"",
        "websocket.origins = []",
        "metadata.request = []",
        "metadata.response = []",
        "metadata.set = {}",
        "metadata.profile = \"plain\"",
        "auth = \"none\"",
        "require.scopes = []",
        "require.claims = {}",
        "cors.origins = []",
        "cors.credentials = false",
        "cors.max_age = \"10m\"",
    ];
    assert_eq!(rows, expected);
}
