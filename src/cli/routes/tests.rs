//! Golden tests of the route table.

use super::*;

fn row(method: &str, template: &str, host: Option<&str>) -> RouteRow {
    RouteRow {
        method: method.to_owned(),
        template: template.to_owned(),
        grpc_method: "shop.v1.Shop.GetItem".to_owned(),
        kind: "unary",
        source: "annotation",
        host: host.map(str::to_owned),
        upstream: "shop".to_owned(),
    }
}

#[test]
fn columns_are_as_wide_as_they_must_be() {
    let rows = [row("GET", "/v1/items/{name=**}", None), row("DELETE", "/\u{e4}", Some("shop.example"))];
    let expected = "\
METHOD  TEMPLATE             GRPC METHOD           KIND   SOURCE      HOST
GET     /v1/items/{name=**}  shop.v1.Shop.GetItem  unary  annotation
DELETE  /\u{e4}                   shop.v1.Shop.GetItem  unary  annotation  shop.example
";
    assert_eq!(table(&rows, Colours(false)), expected);
}

#[test]
fn colours_do_not_move_columns() {
    let rows = [row("GET", "/v1/items", None)];
    let mut coloured = table(&rows, Colours(true));
    for escape in ["\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"] {
        coloured = coloured.replace(escape, "");
    }
    let trimmed: Vec<_> = coloured.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, table(&rows, Colours(false)).lines().collect::<Vec<_>>());
}

#[test]
fn the_form_for_programs() {
    let rows: serde_json::Value = serde_json::from_str(&json(&[row("GET", "/v1/items", None)])).unwrap();
    let expected = serde_json::json!([{
        "method": "GET",
        "template": "/v1/items",
        "grpc_method": "shop.v1.Shop.GetItem",
        "kind": "unary",
        "source": "annotation",
        "host": null,
        "upstream": "shop",
    }]);
    assert_eq!(rows, expected);
}
