"""An HTTP client on Python's own library that uploads streams of messages, and reads while it writes.

`target/python/bin/python tests/python/uploads.py PORT` talks to a gateway at 127.0.0.1:PORT that serves the
sample services. It prints a line for each check and `N passed, N failed` at the end; the exit code is 0 when
all passed.
"""

import json
import sys
import traceback
import zlib
from http.client import HTTPConnection

# Generous: it only ends a call that hangs.
PATIENCE = 30

NDJSON = "application/x-ndjson"


class Upload:
    """A POST whose body goes piece by piece, in chunks, whether or not the answer has come."""

    def __init__(self, port, path, content_type, accept="*/*"):
        self.connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.connection.putrequest("POST", path)
        self.connection.putheader("Content-Type", content_type)
        self.connection.putheader("Accept", accept)
        self.connection.putheader("Transfer-Encoding", "chunked")
        self.connection.endheaders()

    def send(self, *pieces):
        for piece in pieces:
            data = piece if isinstance(piece, bytes) else piece.encode()
            self.connection.send(b"%x\r\n%s\r\n" % (len(data), data))
        return self

    def end(self):
        self.connection.send(b"0\r\n\r\n")
        return self

    def response(self):
        return self.connection.getresponse()

    def answer(self):
        """The status and the JSON of the whole answer."""
        response = self.end().response()
        return response.status, json.loads(response.read())


def lines(*messages):
    return [json.dumps(message) + "\n" for message in messages]


def a_client_stream_of_lines(port):
    books = lines({"title": "One"}, {}, {"title": "Three"})
    status, summary = Upload(port, "/v1/shelves/1/books:import", NDJSON).send(*books).answer()
    assert (status, summary["received"], summary["imported"]) == (200, 3, 2), summary
    assert all(name.startswith("shelves/1/books/") for name in summary["names"]), summary
    assert summary["refusals"][0]["index"] == 1, summary


def lines_cut_anywhere(port):
    text = "".join(lines({"title": "Ünö"}, {"title": "\\\"]}\n"})).encode()
    pieces = [text[at : at + 1] for at in range(len(text))]
    status, summary = Upload(port, "/v1/shelves/1/books:import", NDJSON).send(*pieces).answer()
    assert (status, summary["received"], summary["imported"]) == (200, 2, 2), summary


def a_client_stream_of_an_array(port):
    array = json.dumps([{"parent": "shelves/1", "book": {"title": "One"}}, {"book": {"title": "Two"}}], indent=1)
    status, summary = Upload(port, "/v1/imports", "application/json").send(array[:20], array[20:]).answer()
    assert (status, summary["imported"]) == (200, 2), summary


def nothing_but_the_path(port):
    status, summary = Upload(port, "/v1/shelves/1/books:import", NDJSON).answer()
    assert (status, summary["received"]) == (200, 1), summary
    assert Upload(port, "/v1/imports", NDJSON).answer() == (200, {})


def a_talk_of_lines(port):
    talk = Upload(port, "/v1/chat/Ada", NDJSON, accept=NDJSON)
    response = talk.send(*lines({"text": "0"})).response()
    assert (response.status, response.headers["content-type"]) == (200, NDJSON), response.status
    assert json.loads(response.readline())["inReplyTo"] == "0"
    for number in range(1, 20):
        talk.connection.sock.sendall(chunk(lines({"text": str(number)})[0]))
        assert json.loads(response.readline())["inReplyTo"] == str(number)
    talk.connection.sock.sendall(b"0\r\n\r\n")
    assert json.loads(response.readline())["goodbye"] is True
    assert response.read() == b""


def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text.encode())


def an_end_before_the_body_s(port):
    talk = Upload(port, "/v1/chat", NDJSON, accept=NDJSON)
    response = talk.send(*lines({"text": "0"}, {"failCode": 9})).response()
    texts = response.readline(), response.readline()
    assert json.loads(texts[0])["inReplyTo"] == "0", texts
    assert json.loads(texts[1])["error"]["code"] == 9, texts


def a_wrong_line(port):
    books = lines({"title": "One"}, {"nothing": 1})
    status, error = Upload(port, "/v1/shelves/1/books:import", NDJSON).send(*books).answer()
    assert (status, error["code"]) == (400, 3), error
    assert error["message"].startswith("element 2 of the request body is invalid"), error


def raw_bytes(port):
    data = bytes(range(256)) * 4096 * 3
    upload = Upload(port, "/v1/files", "audio/ogg")
    status, summary = upload.send(*(data[at : at + 100_000] for at in range(0, len(data), 100_000))).answer()
    assert (status, summary["contentType"], summary["size"]) == (200, "audio/ogg", str(len(data))), summary
    assert summary["crc32"] == zlib.crc32(data), summary


def raw_bytes_down(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/v1/files/3000000?content_type=audio/ogg")
    response = connection.getresponse()
    data = response.read()
    assert response.headers["content-type"] == "audio/ogg" and "content-length" not in response.headers
    assert data == (bytes(n * 31 % 256 for n in range(256)) * 12000)[:3_000_000], len(data)


CHECKS = [
    a_client_stream_of_lines,
    lines_cut_anywhere,
    a_client_stream_of_an_array,
    nothing_but_the_path,
    a_talk_of_lines,
    an_end_before_the_body_s,
    a_wrong_line,
    raw_bytes,
    raw_bytes_down,
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
