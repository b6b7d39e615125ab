"""What a real browser does with the gateway: WebSocket, EventSource and streaming fetch.

Each check takes the browser, the site and the HTTP version that the browser speaks with it. The contract
that they hold the gateway to is docs/protocols.md.
"""

import base64
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from protos import chat_pb2, ticker_pb2  # noqa: E402

TICKER = "/v1/ticker?count=3&interval=0.01s"
ENDLESS = "/v1/ticker?interval=0.05s"
VERSIONS = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1"}


def binary(message):
    return {"binary": base64.b64encode(message.SerializeToString()).decode()}


def unbinary(kind, frame):
    return kind.FromString(base64.b64decode(frame["binary"]))


def messages(told):
    return [json.loads(frame) for frame in told["frames"]]


def closed(told, code, reason=None):
    assert told["code"] == code, told
    assert reason is None or told["reason"] == reason, told
    return told


# WebSocket


def websocket_unary(browser, site, version):
    told = closed(browser.call("socket", "/v1/shelves", [], []), 1000)
    assert len(told["frames"]) == 1 and messages(told)[0][0]["theme"], told
    line = site.logged(protocol="websocket", path="/v1/shelves")
    assert line["http_version"] == VERSIONS[version], line


def websocket_server_stream(browser, site, version):
    told = closed(browser.call("socket", TICKER, [], []), 1000)
    assert [sale["cursor"] for sale in messages(told)] == ["1", "2", "3"], told


def websocket_client_stream(browser, site, version):
    frames = ['{"parent":"shelves/1","validateOnly":true,"book":{"title":"A"}}', '{"book":{"title":"B"}}', " "]
    told = closed(browser.call("socket", "/v1/imports", [], frames), 1000)
    assert messages(told) == [{"received": 2, "imported": 2}], told


def websocket_bidi_and_half_close(browser, site, version):
    frames = ['{"text":"one"}', {"await": 1}, '{"text":"two"}', {"await": 2}, ""]
    told = closed(browser.call("socket", "/v1/chat", [], frames), 1000)
    one, two, goodbye = messages(told)
    assert (one["inReplyTo"], two["inReplyTo"], goodbye["goodbye"]) == ("one", "two", True), told


def websocket_enveloped(browser, site, version):
    frames = ['{"message":{"text":"one"}}', {"await": 1}, '{"end":{}}']
    told = closed(browser.call("socket", "/v1/chat", ["nobody.knows", "transom.json"], frames), 1000)
    *said, status = messages(told)
    assert told["protocol"] == "transom.json", told
    assert said[0]["message"]["inReplyTo"] == "one" and status == {"status": {"code": 0}}, told


def websocket_protobuf(browser, site, version):
    told = closed(browser.call("socket", TICKER, ["transom.proto"], []), 1000)
    *sales, status = told["frames"]
    assert [unbinary(ticker_pb2.Sale, sale).cursor for sale in sales] == [1, 2, 3], told
    assert json.loads(status) == {"status": {"code": 0}}, told
    frames = [binary(chat_pb2.TalkRequest(text="one")), {"await": 1}, "end"]
    told = closed(browser.call("socket", "/v1/chat", ["transom.proto"], frames), 1000)
    assert unbinary(chat_pb2.TalkResponse, told["frames"][0]).in_reply_to == "one", told


def websocket_close_codes(browser, site, version):
    told = closed(browser.call("socket", "/v1/failures/5?message=gone", [], []), 4005, "gone")
    assert messages(told)[0]["status"]["code"] == 5, told
    told = closed(browser.call("socket", f"{TICKER}&fail_after=2&fail_code=9", ["transom.json"], []), 4009)
    assert messages(told)[-1]["status"]["code"] == 9 and len(told["frames"]) == 3, told
    for frame, code in [
        ("{", 1007),
        ('{"nothing":1}', 4003),
        ({"binary": "AAAA"}, 1003),
        ("x" * (64 * 1024 + 1), 1009),
    ]:
        closed(browser.call("socket", "/v1/chat", [], [frame]), code)


def websocket_leaves(browser, site, version):
    frames = ['{"text":"one"}', {"await": 1}, {"close": [3000, "enough"]}]
    closed(browser.call("socket", "/v1/chat/leaver", [], frames), 3000)
    line = site.logged(protocol="websocket", path="/v1/chat/leaver")
    assert line["code"] == "CANCELLED", line


def websocket_token(browser, site, version):
    path = "/guarded/ticker?count=1&interval=0s"
    for offer, echo in [(["transom.json", "Bearer", site.token()], "transom.json"), (["Bearer", site.token()], "Bearer")]:
        told = closed(browser.call("socket", path, offer, []), 1000)
        assert told["protocol"] == echo and told["frames"], told
    expired = site.token(lifetime=-600)
    for offer in [[], ["Bearer", expired], ["Bearer", "no.token.atall"]]:
        told = closed(browser.call("socket", path, offer, []), 1006)
        assert not told["opened"] and not told["frames"], told
    site.logged(protocol="websocket", rpc_method="transom.demo.v1.Ticker.Watch", status=401)


def websocket_token_in_a_cookie(browser, site, version):
    path = "/guarded/ticker?count=1&interval=0s"
    for token, code in [(site.token(), 1000), (site.token(lifetime=-600), 1006), ("", 1006)]:
        browser.call("remember", "session", token)
        closed(browser.call("socket", path, [], []), code)


def websocket_wrong_origin(browser, site, version):
    # Another host is another origin, though the same gateway answers.
    browser.open(site.url("/v1/shelves/2", host="127.0.0.1"))
    try:
        target = site.url("/v1/shelves/1").replace("https:", "wss:")
        told = closed(browser.call("socket", target, [], []), 1006)
        assert not told["opened"], told
        line = site.logged(protocol="websocket", path="/v1/shelves/1")
        assert (line["status"], line["reason"]) == (403, "FOREIGN_ORIGIN"), line
    finally:
        browser.open(site.url("/v1/shelves"))


def websocket_snippet_of_the_contract(browser, site, version):
    """What docs/protocols.md shows does what it says when it is pasted."""
    text = (Path(__file__).resolve().parents[2] / "docs/protocols.md").read_text()
    snippet = text.split("## WebSocket", 1)[1].split("```js\n", 1)[1].split("```", 1)[0]
    *said, last = browser.call("paste", snippet, "closed with 1000")
    assert "The Left Hand of Darkness" in said[0] and said[-1].startswith("Goodbye") and last == "closed with 1000", said


# EventSource


def types(told):
    return [event["type"] for event in told["events"]]


def cursors(told):
    return [json.loads(event["data"])["cursor"] for event in told["events"] if event["type"] == "message"]


def eventsource_to_the_end(browser, site, version):
    """Open, messages, the named event at the end, and the 204 that stops the browser for good."""
    browser.call("listen", "end", TICKER, "end")
    told = browser.call("stopped", "end")
    assert types(told) == ["open", "message", "message", "message", "end", "error", "error"], told
    assert cursors(told) == ["1", "2", "3"], told
    end, again, last = told["events"][-3:]
    assert (json.loads(end["data"]), end["id"]) == ({"code": 0}, "transom-end"), told
    # It connects again, and is told that there is nothing more.
    assert (again["state"], last["state"]) == (0, 2), told
    assert site.logged(path="/v1/ticker?count=*&interval=*", status=204), told
    assert browser.call("spokenFor", TICKER) == version


def eventsource_error_in_the_stream(browser, site, version):
    browser.call("listen", "fails", f"{TICKER}&fail_after=2&fail_code=9")
    told = browser.call("heard", "fails", "error", 1)
    browser.call("silence", "fails")
    assert types(told)[:4] == ["open", "message", "message", "error"], told
    assert json.loads(told["events"][3]["data"])["code"] == 9, told


def eventsource_error_before_the_stream(browser, site, version):
    browser.call("listen", "refused", "/v1/ticker?count=nonsense")
    told = browser.call("stopped", "refused")
    assert types(told) == ["error"] and told["events"][0]["state"] == 2, told


def eventsource_comes_back_when_unavailable(browser, site, version):
    browser.call("listen", "jammed", f"{TICKER}&fail_after=2")
    told = browser.call("heard", "jammed", "open", 2)
    browser.call("silence", "jammed")
    error = next(event for event in told["events"] if event["type"] == "error")
    # No data: this is the browser's own event, and the page need do nothing.
    assert error.get("data") is None and error["state"] == 0, told


def eventsource_survives_a_restart(browser, site, version):
    browser.call("listen", "restart", ENDLESS)
    browser.call("heard", "restart", "message", 2)
    site.stop()
    site.start()
    before = types(browser.call("heard", "restart", "open", 2)).count("message")
    told = browser.call("heard", "restart", "message", before + 2)
    browser.call("silence", "restart")
    # Once for each try that the old gateway, about to end, still answered.
    assert types(told).count("open") >= 2, told


def eventsource_resumes_after_a_restart(browser, site, version):
    """By Last-Event-ID, which the browser sends by itself: no gap, and no repetition."""
    browser.call("listen", "resumed", "/resumed/ticker?interval=0.05s", "sale")
    browser.call("heard", "resumed", "sale", 3)
    site.stop()
    site.start()
    before = types(browser.call("heard", "resumed", "open", 2)).count("sale")
    told = browser.call("heard", "resumed", "sale", before + 3)
    browser.call("silence", "resumed")
    sales = [event for event in told["events"] if event["type"] == "sale"]
    numbers = [json.loads(event["data"])["cursor"] for event in sales]
    assert numbers == [str(number) for number in range(1, len(sales) + 1)], numbers
    assert [event["id"] for event in sales] == numbers, sales


# fetch


def fetch_ndjson(browser, site, version):
    accept = {"headers": {"accept": "application/x-ndjson"}}
    told = browser.call("pieces", TICKER, accept)
    assert (told["status"], told["type"], told["failed"]) == (200, "application/x-ndjson", None), told
    lines = "".join(told["pieces"]).splitlines()
    assert [json.loads(line)["cursor"] for line in lines] == ["1", "2", "3"], told
    assert browser.call("spokenFor", TICKER) == version


def fetch_sees_a_stream_break_off(browser, site, version):
    accept = {"headers": {"accept": "application/x-ndjson"}}
    told = browser.call("pieces", f"{TICKER}&fail_after=2&fail_code=9", accept)
    assert told["failed"] == "TypeError", told
    assert json.loads("".join(told["pieces"]).splitlines()[-1])["error"]["code"] == 9, told


def fetch_reads_as_messages_come_and_aborts(browser, site, version):
    """Of a stream that has no end: what is not handed on as it comes would never be read."""
    accept = {"headers": {"accept": "application/x-ndjson"}}
    told = browser.call("pieces", "/v1/ticker?interval=0.05s&after=7", accept, 2)
    assert told["failed"] == "AbortError", told
    line = site.logged(path="/v1/ticker?interval=*&after=*")
    assert line["end"] == "client_gone", line


def fetch_downloads_raw_bytes(browser, site, version):
    told = browser.call("pieces", "/v1/files/300000?content_type=text/plain")
    assert (told["status"], told["type"], told["failed"]) == (200, "text/plain", None), told
    assert site.logged(path="/v1/files/300000?content_type=*")["bytes_out"] == 300000, told


NDJSON = {"content-type": "application/x-ndjson", "accept": "application/x-ndjson"}


def uploads(browser, version):
    """Whether the client streams what it uploads; one that does not says so at once."""
    if browser.streams_uploads(version):
        return True
    told = browser.call("upload", "/v1/chat", NDJSON, ["{}"])
    assert (told["status"], told["failed"]) == (None, "TypeError"), told
    return False


def fetch_uploads_a_stream(browser, site, version):
    if not uploads(browser, version):
        return
    told = browser.call("upload", "/v1/chat", NDJSON, ['{"text":"one"}', '{"text":"two"}'])
    assert (told["status"], told["failed"]) == (200, None), told
    one, two, goodbye = map(json.loads, told["text"].splitlines())
    assert (one["inReplyTo"], two["inReplyTo"], goodbye["goodbye"]) == ("one", "two", True), told
    told = browser.call("upload", "/v1/imports", NDJSON, ['{"parent":"shelves/1","validateOnly":true,"book":{"title":"A"}}'])
    assert (told["status"], json.loads(told["text"])) == (200, {"received": 1, "imported": 1}), told


def fetch_uploads_each_line_as_it_comes(browser, site, version):
    """The body never ends, so what has become a message did not wait for the rest."""
    if not uploads(browser, version):
        return
    told = browser.call("upload", "/v1/chat/streamer", NDJSON, ['{"text":"one"}', '{"text":"two"}'], True)
    assert told["failed"] == "AbortError", told
    line = site.logged(path="/v1/chat/streamer")
    assert (line["messages_in"], line["messages_out"]) == (2, 2) and line["end"] != "complete", line


# The drain ends the gateway, so it comes last.


def websocket_drain(browser, site, version):
    browser.call("hold", "drained", ENDLESS, [])
    site.stop()
    closed(browser.call("held", "drained"), 1012)
    site.start()


CHECKS = [check for name, check in list(globals().items()) if name.startswith(("websocket_", "eventsource_", "fetch_"))]
