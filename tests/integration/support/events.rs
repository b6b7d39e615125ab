//! Server-sent events as a browser reads them (WHATWG HTML §9.2.6), and their bodies with the chance taken out.

/// The default of `sse.retry`, in milliseconds.
pub const RETRY: u64 = 2000;

/// One event, as it is dispatched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: String,
    /// The last event id when it was dispatched.
    pub id: String,
}

/// What a browser makes of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    pub events: Vec<Event>,
    /// The last event id at the end.
    pub last_id: String,
    /// The reconnection time at the end, in milliseconds.
    pub retry: Option<u64>,
    pub comments: Vec<String>,
}

/// Reads a body, line by line.
pub fn parse(body: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut name, mut data) = (String::new(), String::new());
    let body = body.strip_prefix('\u{feff}').unwrap_or(body).replace("\r\n", "\n").replace('\r', "\n");
    // A last event without its blank line is discarded; so is a line without its end.
    let whole = body.rfind('\n').map_or("", |end| &body[..end]);
    for line in whole.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                let name = if name.is_empty() { "message".to_owned() } else { name.clone() };
                parsed.events.push(Event { name, data: data.clone(), id: parsed.last_id.clone() });
            }
            (name, data) = (String::new(), String::new());
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => parsed.comments.push(value.to_owned()),
            "event" => value.clone_into(&mut name),
            "data" => data = format!("{data}{value}\n"),
            "id" if !value.contains('\0') => value.clone_into(&mut parsed.last_id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => parsed.retry = value.parse().ok(),
            _ => {}
        }
    }
    parsed
}

/// A body whose opening says when to come back: the time, which is between once and twice `least`, becomes
/// `least`.
pub fn settled(body: &str, least: u64) -> String {
    const OPENING: &str = ": ok\nretry: ";
    let Some((time, rest)) = body.strip_prefix(OPENING).and_then(|rest| rest.split_once('\n')) else {
        return body.to_owned();
    };
    let time: u64 = time.parse().unwrap();
    assert!((least..2 * least).contains(&time), "{body}");
    format!("{OPENING}{least}\n{rest}")
}
