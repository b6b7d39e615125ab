//! Golden lines of both forms, and an output that does not keep up.

use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use super::*;

fn entry() -> Entry {
    Entry {
        time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        request_id: "0f3a".to_owned(),
        host: Some("shop.example.com".to_owned()),
        protocol: "rest",
        status: 404,
        rpc_method: Some("shop.v1.Shop/GetItem".into()),
        kind: Some("unary"),
        code: Some(Code::NotFound),
        origin: Some(Origin::Upstream),
        reason: Some("NO_SUCH_ITEM".to_owned()),
        bytes_in: 3,
        bytes_out: 71,
        messages_in: 1,
        messages_out: 0,
        duration: Duration::from_micros(1_234),
        end: End::ClientGone,
        ..Entry::new(
            Method::GET,
            &"/v1/items/7?key=secret&flag&a=b=c".parse().unwrap(),
            Version::HTTP_11,
            Some("192.0.2.7:4711".parse().unwrap()),
        )
    }
}

fn line(format: Format, entry: &Entry) -> String {
    let mut out = String::new();
    format::line(&mut out, format, entry);
    out
}

#[test]
fn the_json_form() {
    assert_eq!(
        line(Format::Json, &entry()),
        "{\"time\":\"2023-11-14T22:13:20.123Z\",\"client\":\"192.0.2.7:4711\",\"request_id\":\"0f3a\",\
         \"method\":\"GET\",\"path\":\"/v1/items/7?key=*&flag&a=*\",\"host\":\"shop.example.com\",\
         \"protocol\":\"rest\",\"http_version\":\"HTTP/1.1\",\"status\":404,\
         \"rpc_method\":\"shop.v1.Shop/GetItem\",\"kind\":\"unary\",\"code\":\"NOT_FOUND\",\
         \"origin\":\"upstream\",\"reason\":\"NO_SUCH_ITEM\",\"bytes_in\":3,\"bytes_out\":71,\
         \"messages_in\":1,\"messages_out\":0,\"duration_ms\":1.234,\"end\":\"client_gone\"}\n"
    );
}

#[test]
fn the_readable_form() {
    let plain = line(Format::Readable, &entry());
    assert_eq!(
        plain,
        "\x1b[2m2023-11-14T22:13:20.123Z\x1b[0m \x1b[33m404\x1b[0m GET /v1/items/7?key=*&flag&a=* \
         \x1b[2m→\x1b[0m shop.v1.Shop/GetItem NOT_FOUND NO_SUCH_ITEM \x1b[2m1.2ms in=3 out=71 rest \
         HTTP/1.1 192.0.2.7:4711 0f3a\x1b[0m \x1b[33mclient_gone\x1b[0m\n"
    );
}

#[test]
fn what_is_unknown_is_left_out() {
    let entry =
        Entry { time: UNIX_EPOCH, ..Entry::new(Method::POST, &"/".parse().unwrap(), Version::HTTP_2, None) };
    assert_eq!(
        line(Format::Json, &entry),
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"client\":null,\"request_id\":\"\",\"method\":\"POST\",\
         \"path\":\"/\",\"protocol\":\"http\",\"http_version\":\"HTTP/2\",\"status\":0,\"bytes_in\":0,\
         \"bytes_out\":0,\"messages_in\":0,\"messages_out\":0,\"duration_ms\":0.000,\"end\":\"complete\"}\n"
    );
}

#[test]
fn nothing_from_outside_breaks_a_line_or_steers_a_terminal() {
    let evil = "a\nb\r\x1b[2Jc\u{9b}31m\u{7f}\u{2028}\u{202e}\"\\";
    let evil = Entry {
        request_id: evil.to_owned(),
        path: evil.to_owned(),
        host: Some(evil.to_owned()),
        reason: Some(evil.to_owned()),
        ..entry()
    };
    let json = line(Format::Json, &evil);
    let back: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(back["path"], evil.path);
    assert_eq!(back["host"], evil.path);
    for text in [json, line(Format::Readable, &Entry { host: None, ..evil })] {
        let text = text.strip_suffix('\n').unwrap();
        let text = text.replace("\x1b[0m", "").replace("\x1b[2m", "").replace("\x1b[33m", "");
        let bad = |char: char| char.is_control() || char == '\u{2028}' || char == '\u{202e}';
        assert!(!text.contains(bad), "{text:?}");
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn everything_is_written_before_the_thread_ends() {
    let output = Shared::default();
    let (log, thread) = AccessLog::start(Format::Json, output.clone()).unwrap();
    for _ in 0..1000 {
        log.clone().write(entry());
    }
    drop(log);
    thread.join().unwrap();
    let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    assert_eq!(written.lines().count(), 1000);
}

#[test]
fn a_blocked_output_drops_and_counts() {
    struct Blocked(Receiver<()>);
    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().ok();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (release, blocked) = mpsc::channel();
    let (log, thread) = AccessLog::start(Format::Json, Blocked(blocked)).unwrap();
    // The writer holds at most two full queues: one being written, one waiting.
    for _ in 0..QUEUE * 2 + 100 {
        log.write(entry());
    }
    assert!(log.dropped() >= 1, "{}", log.dropped());
    drop(release);
    drop(log);
    thread.join().unwrap();
}
