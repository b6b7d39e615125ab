//! The router by example, under hostile paths, and against a naive reference.

mod reference;

use super::super::{Flaw, RouterBuilder, Template};
use super::*;

/// A router whose values are the routes as written: `"GET /v1/{id}"`.
fn router<'a>(routes: &[&'a str]) -> Router<&'a str> {
    let mut builder = RouterBuilder::new();
    for route in routes {
        let (method, template) = route.split_once(' ').unwrap();
        builder.insert(method, &Template::parse(template).unwrap(), *route).unwrap();
    }
    builder.build()
}

/// What a request finds: the route and its captures, `404`, `405 ALLOW,…` or `400`.
fn ask(router: &Router<&str>, request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    match router.find(method, path) {
        Ok(found) => {
            let captures: Vec<&str> = found.captures.iter().collect();
            format!("{} {captures:?}", found.value)
        }
        Err(Miss::NotFound) => "404".to_owned(),
        Err(Miss::MethodNotAllowed { allow }) => format!("405 {}", allow.join(",")),
        Err(Miss::InvalidPath(_)) => "400".to_owned(),
    }
}

/// Requests and their answers, for the routes inserted in this order and in the opposite one.
fn table(routes: &[&str], requests: &[(&str, &str)]) {
    let backwards: Vec<&str> = routes.iter().rev().copied().collect();
    for router in [router(routes), router(&backwards)] {
        for (request, answer) in requests {
            assert_eq!(ask(&router, request), *answer, "{request}");
        }
    }
}

#[test]
fn literal_goes_before_star_before_rest() {
    table(
        &["GET /v1/me", "GET /v1/{id}", "GET /v1/{path=**}", "GET /v1/{id}/edit", "GET /{all=**}"],
        &[
            ("GET /v1/me", r"GET /v1/me []"),
            ("GET /v1/you", r#"GET /v1/{id} ["you"]"#),
            ("GET /v1/a/b", r#"GET /v1/{path=**} ["a/b"]"#),
            ("GET /v1/a/edit", r#"GET /v1/{id}/edit ["a"]"#),
            ("GET /v1/me/edit", r#"GET /v1/{id}/edit ["me"]"#),
            ("GET /v1", r#"GET /v1/{path=**} [""]"#),
            ("GET /v2", r#"GET /{all=**} ["v2"]"#),
            ("GET /", r#"GET /{all=**} [""]"#),
        ],
    );
}

#[test]
fn a_dead_end_is_backed_out_of() {
    table(
        &["GET /a/b/c", "GET /a/{x}/d", "GET /{x}/b/e", "GET /{x}/{y}/{z}", "GET /a/**/f"],
        &[
            ("GET /a/b/c", "GET /a/b/c []"),
            ("GET /a/b/d", r#"GET /a/{x}/d ["b"]"#),
            ("GET /a/b/f", "GET /a/**/f []"),
            ("GET /a/b/e", r#"GET /{x}/b/e ["a"]"#),
            ("GET /a/b/g", r#"GET /{x}/{y}/{z} ["a", "b", "g"]"#),
            ("GET /a/b/c/f", "GET /a/**/f []"),
            ("GET /a/b/c/d", "404"),
        ],
    );
}

#[test]
fn the_method_is_a_part_of_the_match() {
    table(
        &["GET /v1/me", "PUT /v1/{id}", "DELETE /v1/**", "PATCH /v1/{id}:verb", "PUT /v1/{id}:verb"],
        &[
            ("GET /v1/me", "GET /v1/me []"),
            ("PUT /v1/me", r#"PUT /v1/{id} ["me"]"#),
            ("DELETE /v1/me", "DELETE /v1/** []"),
            ("PATCH /v1/me", "405 DELETE,GET,PUT"),
            ("POST /v1/me:verb", "405 DELETE,PATCH,PUT"),
            ("GET /v1/you", "405 DELETE,PUT"),
            ("GET /v1/a/b", "405 DELETE"),
            ("get /v1/me", "405 DELETE,GET,PUT"),
            (" /v1/me", "405 DELETE,GET,PUT"),
            ("v1 /v1/me", "405 DELETE,GET,PUT"),
            ("GET /v2", "404"),
        ],
    );
}

#[test]
fn any_method_stands_behind_the_own_one() {
    table(
        &["* /x/{id}", "GET /x/{id}", "GET /x/{id}:verb", "* /x/y", "POST /x/**"],
        &[
            ("GET /x/1", r#"GET /x/{id} ["1"]"#),
            ("BREW /x/1", r#"* /x/{id} ["1"]"#),
            ("* /x/1", r#"* /x/{id} ["1"]"#),
            ("GET /x/y", "* /x/y []"),
            ("POST /x/1", r#"* /x/{id} ["1"]"#),
            ("BREW /x/1:verb", r#"* /x/{id} ["1:verb"]"#),
            ("GET /x/1/2", "405 POST"),
        ],
    );
}

#[test]
fn segments_decide_before_verbs() {
    table(
        &[
            "GET /x/{id}",
            "GET /x/{id}:cancel",
            "GET /y/{id}",
            "GET /y/{rest=**}:cancel",
            "GET /z/a",
            "GET /z/{id}",
        ],
        &[
            ("GET /x/7:cancel", r#"GET /x/{id}:cancel ["7"]"#),
            ("GET /x/7:stop", r#"GET /x/{id} ["7:stop"]"#),
            ("GET /x/7:a:cancel", r#"GET /x/{id}:cancel ["7:a"]"#),
            ("GET /x/7:cancel:a", r#"GET /x/{id} ["7:cancel:a"]"#),
            ("GET /x/7%3Acancel", r#"GET /x/{id} ["7:cancel"]"#),
            ("GET /x/7:%63ancel", r#"GET /x/{id}:cancel ["7"]"#),
            ("GET /x/:cancel", r#"GET /x/{id} [":cancel"]"#),
            ("GET /x/7:", r#"GET /x/{id} ["7:"]"#),
            ("GET /x/7:cancel/", "404"),
            ("GET /y/7:cancel", r#"GET /y/{id} ["7:cancel"]"#),
            ("GET /y/7/8:cancel", r#"GET /y/{rest=**}:cancel ["7/8"]"#),
            ("GET /y:cancel", r#"GET /y/{rest=**}:cancel [""]"#),
            ("GET /z/a:b", r#"GET /z/{id} ["a:b"]"#),
        ],
    );
}

#[test]
fn verbs_belong_to_their_own_routes() {
    table(
        &[
            "POST /jobs/{id}:cancel",
            "GET /users/{id}",
            "POST /v1/shelves:sort",
            "GET /v1/{x=**}",
            "POST /only:verb",
        ],
        &[
            ("GET /users/joe:cancel", r#"GET /users/{id} ["joe:cancel"]"#),
            ("POST /jobs/1:cancel", r#"POST /jobs/{id}:cancel ["1"]"#),
            ("POST /jobs/1", "404"),
            ("POST /jobs/:cancel", "404"),
            ("GET /jobs/1:cancel", "405 POST"),
            ("GET /v1/shelves:sort", r#"GET /v1/{x=**} ["shelves:sort"]"#),
            ("POST /v1/shelves:sort", "POST /v1/shelves:sort []"),
            ("POST /v1/shelves", "405 GET"),
            ("PUT /v1/shelves:sort", "405 GET,POST"),
            ("POST /only%3Averb", "404"),
            ("POST /only", "404"),
        ],
    );
}

#[test]
fn an_escaped_colon_in_a_literal_is_no_verb() {
    table(
        &["GET /a%3Ab", "GET /c", "POST /{id}:b"],
        &[
            ("GET /a%3Ab", "GET /a%3Ab []"),
            ("GET /a:b", "GET /a%3Ab []"),
            ("POST /a:b", r#"POST /{id}:b ["a"]"#),
        ],
    );
    table(&["GET /a/**:v", "GET /a%3Av"], &[("GET /a:v", "GET /a%3Av []")]);
    table(&["GET /a:v", "GET /a%3Av/**"], &[("GET /a:v", "GET /a:v []")]);
}

#[test]
fn the_rest_takes_zero_or_more_segments() {
    table(
        &["GET /a/{x=**}", "GET /b/{x=**}/c", "GET /d/{x=e/**}", "GET /f/{x=g/**/h}/{y}"],
        &[
            ("GET /a", r#"GET /a/{x=**} [""]"#),
            ("GET /a/", r#"GET /a/{x=**} [""]"#),
            ("GET /a/1/2/3", r#"GET /a/{x=**} ["1/2/3"]"#),
            ("GET /a/1/", r#"GET /a/{x=**} ["1/"]"#),
            ("GET /b/c", r#"GET /b/{x=**}/c [""]"#),
            ("GET /b/c/c", r#"GET /b/{x=**}/c ["c"]"#),
            ("GET /b/1/2/c", r#"GET /b/{x=**}/c ["1/2"]"#),
            ("GET /b", "404"),
            ("GET /d/e", r#"GET /d/{x=e/**} ["e"]"#),
            ("GET /d/e/1", r#"GET /d/{x=e/**} ["e/1"]"#),
            ("GET /f/g/h/1", r#"GET /f/{x=g/**/h}/{y} ["g/h", "1"]"#),
            ("GET /f/g/1/2/h/3", r#"GET /f/{x=g/**/h}/{y} ["g/1/2/h", "3"]"#),
            ("GET /f/g/1", "404"),
        ],
    );
}

#[test]
fn of_several_tails_the_longest_wins() {
    table(
        &["GET /r/{x=**}", "GET /r/{x=**}/c", "GET /r/{x=**}/b/c", "GET /r/{x=**}/{y}/c", "POST /r/{x=**}:v"],
        &[
            ("GET /r/a/b/c", r#"GET /r/{x=**}/b/c ["a"]"#),
            ("GET /r/b/c", r#"GET /r/{x=**}/b/c [""]"#),
            ("GET /r/1/c", r#"GET /r/{x=**}/{y}/c ["", "1"]"#),
            ("GET /r/c", r#"GET /r/{x=**}/c [""]"#),
            ("GET /r/a", r#"GET /r/{x=**} ["a"]"#),
            ("POST /r/b/c:v", r#"POST /r/{x=**}:v ["b/c"]"#),
            ("POST /r/b/c", "405 GET"),
        ],
    );
}

#[test]
fn published_templates_work() {
    table(
        &[
            "POST /v1/{parent=projects/*/databases/*/documents/*/**}/{collection_id}",
            "POST /v1/{parent=projects/*/databases/*/documents}/{collection_id}",
            "GET /v1/{name=projects/*/databases/*/documents/*/**}",
            "POST /v1/{database=projects/*/databases/*}/documents:commit",
        ],
        &[
            (
                "POST /v1/projects/p/databases/d/documents/a/b/c",
                r#"POST /v1/{parent=projects/*/databases/*/documents/*/**}/{collection_id} ["projects/p/databases/d/documents/a/b", "c"]"#,
            ),
            (
                "POST /v1/projects/p/databases/d/documents/a",
                r#"POST /v1/{parent=projects/*/databases/*/documents}/{collection_id} ["projects/p/databases/d/documents", "a"]"#,
            ),
            (
                "POST /v1/projects/p/databases/d/documents:commit",
                r#"POST /v1/{database=projects/*/databases/*}/documents:commit ["projects/p/databases/d"]"#,
            ),
            (
                "GET /v1/projects/p/databases/(default)/documents/a",
                r#"GET /v1/{name=projects/*/databases/*/documents/*/**} ["projects/p/databases/(default)/documents/a"]"#,
            ),
        ],
    );
}

#[test]
fn a_slash_at_the_end_is_an_empty_segment() {
    table(
        &["GET /", "GET /v1", "GET /v1/{id}", "GET /v1/*/**"],
        &[
            ("GET /", "GET / []"),
            ("GET /v1/", "404"),
            ("GET /v1", "GET /v1 []"),
            ("GET /v1/1/", "GET /v1/*/** []"),
        ],
    );
}

#[test]
fn values_are_decoded_once_and_by_their_kind() {
    table(
        &[
            "GET /one/{id}",
            "GET /many/{name=**}",
            "GET /two/{name=a/*}",
            "GET /{x=lit}",
            "GET /caf%C3%A9/{id}:go",
        ],
        &[
            ("GET /one/a%2Fb", r#"GET /one/{id} ["a/b"]"#),
            ("GET /one/a+b%20c", r#"GET /one/{id} ["a+b c"]"#),
            ("GET /one/%2523", r#"GET /one/{id} ["%23"]"#),
            ("GET /one/%E2%82%AC", r#"GET /one/{id} ["€"]"#),
            ("GET /one/..%2F", r#"GET /one/{id} ["../"]"#),
            ("GET /many/%2f%23/%20%2523", r#"GET /many/{name=**} ["%2f%23/ %23"]"#),
            ("GET /many/a%2Fb%3A%40/c%E2%82%AC", r#"GET /many/{name=**} ["a%2Fb%3A%40/c€"]"#),
            ("GET /two/%61/%2F%62", r#"GET /two/{name=a/*} ["a/%2Fb"]"#),
            ("GET /%6cit", r#"GET /{x=lit} ["lit"]"#),
            ("GET /caf%c3%a9/a%3Ago:go", r#"GET /caf%C3%A9/{id}:go ["a:go"]"#),
            ("GET /one%2Fa", "404"),
        ],
    );
}

#[test]
fn invalid_paths_are_refused_wherever_they_lead() {
    let router = router(&["GET /a/{rest=**}", "GET /b"]);
    for (path, position, flaw) in [
        ("", 1, Flaw::NoSlash),
        ("a/b", 1, Flaw::NoSlash),
        ("//", 2, Flaw::Empty),
        ("/a//b", 4, Flaw::Empty),
        ("/a/..", 4, Flaw::Dots),
        ("/a/%2e%2e/b", 4, Flaw::Dots),
        ("/a/.", 4, Flaw::Dots),
        ("/a/..:x", 4, Flaw::Dots),
        ("/a/%zz", 4, Flaw::Escape),
        ("/a/b%", 5, Flaw::Escape),
        ("/a/%00", 4, Flaw::Nul),
        ("/a/b%5C", 5, Flaw::Backslash),
        ("/a/\\", 4, Flaw::Backslash),
        ("/a/%ff", 4, Flaw::Utf8),
        ("/a/é", 4, Flaw::Character(0xc3)),
        ("/elsewhere/..", 12, Flaw::Dots),
    ] {
        let error = PathError { position, flaw };
        assert_eq!(router.find("GET", path), Err(Miss::InvalidPath(error)), "{path}");
        assert_eq!(router.find("BREW", path), Err(Miss::InvalidPath(error)), "{path}");
    }
}

#[test]
fn captures_have_the_index_of_their_variable() {
    let router = router(&["GET /{a}/{b=**}/{c}"]);
    let captures = router.find("GET", "/1/2/3/4").unwrap().captures;
    assert_eq!((captures.get(0), captures.get(1), captures.get(2)), (Some("1"), Some("2/3"), Some("4")));
    assert_eq!((captures.get(3), captures.len(), captures.is_empty()), (None, 3, false));
    let captures = router.find("GET", "/1/4").unwrap().captures;
    assert_eq!((captures.get(0), captures.get(1), captures.get(2)), (Some("1"), Some(""), Some("4")));
}

#[test]
fn what_collides_comes_back() {
    let template = |text| Template::parse(text).unwrap();
    let mut builder = RouterBuilder::new();
    builder.insert("GET", &template("/v1/{a}/x:v"), 1).unwrap();
    let collision = builder.insert("GET", &template("/v1/*/%78:v"), 2).unwrap_err();
    assert_eq!((collision.value, *collision.first), (2, 1));
    for (method, text) in [
        ("PUT", "/v1/{a}/x:v"),
        ("*", "/v1/{a}/x:v"),
        ("GET", "/v1/{a}/x"),
        ("GET", "/v1/{a}/x:w"),
        ("GET", "/v1/**/x:v"),
    ] {
        builder.insert(method, &template(text), 3).unwrap();
    }
    assert_eq!(builder.insert("*", &template("/v1/{b}/x:v"), 4).unwrap_err().value, 4);
    assert_eq!(*builder.build().find("GET", "/v1/1/x:v").unwrap().value, 1);
}

#[test]
fn an_empty_router_finds_nothing() {
    let router = router(&[]);
    for path in ["/", "/a", "/a/b:c"] {
        assert_eq!(router.find("GET", path), Err(Miss::NotFound));
    }
}

/// How many nodes a miss looks at: the work that a hostile path can cause.
fn visits(router: &Router<&str>, path: &str) -> usize {
    let path = Path::parse(path).unwrap();
    let mut count = 0;
    let end = Walk::new(&router.symbols, &path).each(&router.root, |_, _| {
        count += 1;
        ControlFlow::<()>::Continue(())
    });
    assert!(end.is_continue());
    count
}

#[test]
fn hostile_paths_cost_no_more_than_the_templates() {
    // Every segment fits a literal and `*`, and every suffix a tail: 2^8 prefixes times 4 tails.
    let mut texts = Vec::new();
    for bits in 0..256 {
        let prefix: String = (0..8).map(|bit| if bits >> bit & 1 == 0 { "/a" } else { "/*" }).collect();
        for tail in ["", "/a", "/a/*", "/*/a/a"] {
            texts.push(format!("GET {prefix}/**{tail}"));
        }
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let router = router(&texts);
    for path in
        ["/a".repeat(4000), "/a:a".repeat(2000), format!("/{}", "a:".repeat(4000)), "/%61".repeat(2000)]
    {
        assert!(visits(&router, &path) <= texts.len(), "{path:.20}");
        assert!(matches!(router.find("PUT", &path), Err(Miss::MethodNotAllowed { .. } | Miss::NotFound)));
    }
    assert_eq!(visits(&router, &"/a".repeat(4000)), texts.len());
}

#[test]
fn the_longest_template_can_be_matched() {
    let template = format!("GET {}", "/*".repeat(127) + "/{x}");
    let router = router(&[&template]);
    assert!(router.find("GET", &"/y".repeat(128)).is_ok());
    assert_eq!(router.find("GET", &"/y".repeat(4000)), Err(Miss::NotFound));
}
