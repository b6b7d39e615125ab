//! A router so simple that it is plainly right, and slow: it tries every template and sorts those that match.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::super::template::Segment;
use super::*;

/// One way in which a template matches a path.
struct Match {
    rank: Vec<Rank>,
    /// For each segment of the template, how many of the path it takes.
    taken: Vec<usize>,
    verb: bool,
}

/// Precedence, position by position; a template that ends is before one that goes on with `**`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Literal,
    Any,
    End,
    Rest(Reverse<usize>),
}

fn rank(template: &Template) -> Vec<Rank> {
    let length = template.segments.len();
    let each = template.segments.iter().enumerate().map(|(at, segment)| match segment {
        Segment::Literal(_) => Rank::Literal,
        Segment::Any => Rank::Any,
        Segment::Rest => Rank::Rest(Reverse(length - at - 1)),
    });
    each.chain([Rank::End]).collect()
}

/// All raw segments of a path, and whether the template's verb was cut off the last.
fn cut(template: &Template, path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/').unwrap();
    let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    if path.is_empty() {
        segments.clear();
    }
    if let Some(verb) = template.verb() {
        let last = segments.last_mut()?;
        let (bare, found) = last.rsplit_once(':')?;
        if bare.is_empty() || unescape(found) != verb {
            return None;
        }
        *last = bare.to_owned();
    }
    Some(segments)
}

fn unescape(raw: &str) -> String {
    raw.replace("%2F", "/").replace("%61", "a").replace("%3A", ":")
}

fn matches(template: &Template, path: &str) -> Option<Match> {
    let segments = cut(template, path)?;
    let fixed = template.segments.iter().filter(|it| **it != Segment::Rest).count();
    let spare = segments.len().checked_sub(fixed)?;
    let mut at = 0;
    let mut taken = Vec::new();
    for segment in &template.segments {
        let text = segments.get(at).map(|raw| unescape(raw));
        let count = match segment {
            Segment::Literal(literal) if text.as_ref()? == literal => 1,
            Segment::Any if !text?.is_empty() => 1,
            Segment::Rest => spare,
            Segment::Literal(_) | Segment::Any => return None,
        };
        at += count;
        taken.push(count);
    }
    let verb = template.verb().is_some();
    (at == segments.len()).then_some(Match { rank: rank(template), taken, verb })
}

fn captures(template: &Template, found: &Match, path: &str) -> Vec<String> {
    let segments = cut(template, path).unwrap();
    let value = |variable: &super::super::super::Variable| {
        let start: usize = found.taken[..variable.range.start].iter().sum();
        let end: usize = found.taken[..variable.range.end].iter().sum();
        let raw = segments[start..end].join("/");
        if variable.multi { raw.replace("%61", "a") } else { unescape(&raw) }
    };
    template.variables().iter().map(value).collect()
}

/// Answers like [`ask`].
fn answer(routes: &[(String, Template)], method: &str, path: &str) -> String {
    let mut all: Vec<_> = routes
        .iter()
        .filter_map(|(route, template)| Some((route, template, matches(template, path)?)))
        .map(|(route, template, found)| {
            let kind = route.split_once(' ').unwrap().0;
            ((found.rank.clone(), !found.verb, kind == "*"), kind, route, template, found)
        })
        .collect();
    let allow: BTreeSet<&str> = all.iter().map(|(_, kind, ..)| *kind).collect();
    all.retain(|(_, kind, ..)| [method, "*"].contains(kind));
    all.sort_by(|one, other| one.0.cmp(&other.0));
    match all.first() {
        Some((.., route, template, found)) => format!("{route} {:?}", captures(template, found, path)),
        None if allow.is_empty() => "404".to_owned(),
        None => format!("405 {}", allow.into_iter().collect::<Vec<_>>().join(",")),
    }
}

fn template() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        3 => Just("a".to_owned()),
        2 => Just("b".to_owned()),
        1 => Just("a%3Av".to_owned()),
        1 => Just("%2Fa".to_owned()),
        3 => Just("*".to_owned()),
        3 => Just("{}".to_owned()),
        2 => Just("**".to_owned()),
        2 => Just("{=**}".to_owned()),
        1 => Just("{=a/*}".to_owned()),
        1 => Just("{=*/**}".to_owned()),
        1 => Just("{=**/b}".to_owned()),
    ];
    (prop::collection::vec(segment, 0..5), prop::sample::select(vec!["", "", ":v", ":w", ":%61"])).prop_map(
        |(segments, verb)| {
            let mut text = String::new();
            for (at, segment) in segments.iter().enumerate() {
                text.push('/');
                text.push_str(&segment.replace('{', &format!("{{x{at}")));
            }
            if text.is_empty() { "/".to_owned() } else { text + verb }
        },
    )
}

fn routes() -> impl Strategy<Value = Vec<(String, Template)>> {
    let method = prop::sample::select(vec!["GET", "PUT", "*"]);
    prop::collection::vec((method, template()), 0..24).prop_map(|all| {
        let mut seen = BTreeSet::new();
        let parsed = all.into_iter().filter_map(|(method, text)| {
            // A template with two `**` is none.
            let template = Template::parse(&text).ok()?;
            seen.insert((method, template.shape())).then(|| (format!("{method} {text}"), template))
        });
        parsed.collect()
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment =
        prop::sample::select(vec!["a", "b", "c", "%61", "a:v", "b:w", "a:a", ":v", "a%3Av", "%2Fa", "c:v:w"]);
    (prop::collection::vec(segment, 0..7), any::<bool>()).prop_map(|(segments, slash)| {
        let path = format!("/{}", segments.join("/"));
        if slash && path != "/" { path + "/" } else { path }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_router_answers_like_the_reference(
        routes in routes(),
        paths in prop::collection::vec(path(), 1..24),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut names: Vec<&str> = routes.iter().map(|(route, _)| route.as_str()).collect();
        let forwards = router(&names);
        let middle = if names.is_empty() { 0 } else { seed.index(names.len()) };
        names.rotate_left(middle);
        names.reverse();
        let shuffled = router(&names);
        for path in &paths {
            for method in ["GET", "PUT", "POST"] {
                let expected = answer(&routes, method, path);
                let request = format!("{method} {path}");
                prop_assert_eq!(ask(&forwards, &request), expected.clone(), "{} of {:?}", request, names);
                prop_assert_eq!(ask(&shuffled, &request), expected, "{} of {:?}, shuffled", request, names);
            }
        }
    }
}
