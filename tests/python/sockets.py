"""A WebSocket client on the `websockets` library that calls methods of all four kinds in every dialect.

`target/python/bin/python tests/python/sockets.py PORT` talks to a gateway at 127.0.0.1:PORT that serves the
sample services. It prints a line for each check and `N passed, N failed` at the end; the exit code is 0 when
all passed.
"""

import json
import sys
import traceback
from contextlib import ExitStack

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from protos import chat_pb2, ticker_pb2

# Generous: it only ends a call that hangs.
PATIENCE = 30

TICKER = "/v1/ticker?count=3&interval=0.01s"


class Talk:
    """One socket, from the handshake to the close."""

    def __init__(self, port, path, *subprotocols, **options):
        url = f"ws://127.0.0.1:{port}{path}"
        options = {"open_timeout": PATIENCE, "compression": None, **options}
        opening = connect(url, subprotocols=list(subprotocols) or None, **options)
        # It is open until `rest` has seen the close.
        self.socket = ExitStack().enter_context(opening)

    def send(self, *frames):
        for frame in frames:
            self.socket.send(frame)
        return self

    def rest(self):
        """All frames that still come, then the close code and the reason."""
        frames = []
        try:
            while True:
                frames.append(self.socket.recv(timeout=PATIENCE))
        except ConnectionClosed as closed:
            return frames, closed.rcvd.code, closed.rcvd.reason


def messages(frames):
    return [json.loads(frame) for frame in frames]


def raw_unary(port):
    frames, code, _ = Talk(port, "/v1/shelves").rest()
    assert code == 1000 and len(frames) == 1, (frames, code)
    json.loads(frames[0])


def raw_server_stream(port):
    frames, code, _ = Talk(port, TICKER).rest()
    assert code == 1000 and [m["cursor"] for m in messages(frames)] == ["1", "2", "3"], (frames, code)


def raw_client_stream(port):
    frames, code, _ = Talk(port, "/v1/imports").send('{"book":{"title":"A"}}', "{}", "").rest()
    assert code == 1000 and messages(frames)[0]["received"] == 2, (frames, code)


def raw_bidi(port):
    talk = Talk(port, "/v1/chat")
    first = json.loads(talk.send('{"text":"one"}').socket.recv(timeout=PATIENCE))
    assert first["inReplyTo"] == "one", first
    frames, code, _ = talk.send('{"text":"two"}', "").rest()
    assert code == 1000 and messages(frames)[-1]["goodbye"] is True, (frames, code)


def enveloped_bidi(port):
    talk = Talk(port, "/v1/chat", "nobody.knows", "transom.json")
    assert talk.socket.subprotocol == "transom.json", talk.socket.subprotocol
    frames, code, _ = talk.send('{"message":{"text":"one"}}', '{"end":{}}').rest()
    *said, status = messages(frames)
    assert code == 1000 and status == {"status": {"code": 0}}, (frames, code)
    assert said[0]["message"]["inReplyTo"] == "one", said


def protobuf_server_stream(port):
    talk = Talk(port, TICKER, "transom.proto")
    *sales, status = talk.rest()[0]
    assert [ticker_pb2.Sale.FromString(sale).cursor for sale in sales] == [1, 2, 3], sales
    assert json.loads(status) == {"status": {"code": 0}}, status


def protobuf_bidi(port):
    talk = Talk(port, "/v1/chat", "transom.proto")
    frames, code, _ = talk.send(chat_pb2.TalkRequest(text="one").SerializeToString(), "").rest()
    *said, status = frames
    assert code == 1000 and json.loads(status) == {"status": {"code": 0}}, (frames, code)
    assert chat_pb2.TalkResponse.FromString(said[0]).in_reply_to == "one", said


def failures_close_with_their_code(port):
    frames, code, reason = Talk(port, "/v1/failures/5?message=gone").rest()
    assert (code, reason) == (4005, "gone"), (code, reason)
    assert messages(frames)[0]["status"]["code"] == 5, frames


def what_is_no_json_is_told(port):
    assert Talk(port, "/v1/chat").send("{").rest()[1] == 1007
    assert Talk(port, "/v1/chat").send('{"nothing":1}').rest()[1] == 4003


def refusals_before_the_upgrade_are_http(port):
    for path, options, status in [
        ("/v1/nothing", {}, 404),
        ("/v1/shelves?nothing=1", {}, 400),
        ("/v1/shelves", {"origin": "https://elsewhere.example"}, 403),
    ]:
        try:
            Talk(port, path, **options)
        except InvalidStatus as refused:
            assert refused.response.status_code == status, (path, refused.response)
        else:
            raise AssertionError(f"{path} was upgraded")


CHECKS = [
    raw_unary,
    raw_server_stream,
    raw_client_stream,
    raw_bidi,
    enveloped_bidi,
    protobuf_server_stream,
    protobuf_bidi,
    failures_close_with_their_code,
    what_is_no_json_is_told,
    refusals_before_the_upgrade_are_http,
]


def main():
    port = int(sys.argv[1])
    failed = 0
    for check in CHECKS:
        try:
            check(port)
            print(f"ok      {check.__name__}")
        except Exception:
            failed += 1
            print(f"FAILED  {check.__name__}\n{traceback.format_exc()}")
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
