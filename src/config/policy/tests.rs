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
        "auth = \"none\"",
        "require.scopes = []",
        "require.claims = {}",
        "cors.origins = []",
        "cors.credentials = false",
        "cors.max_age = \"10m\"",
    ];
    assert_eq!(rows, expected);
}
