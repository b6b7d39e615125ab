"""A client of server-sent events on `httpx-sse` that runs the table which browsers and Node run.

`run.py` calls `CHECKS` with a gateway over TLS that serves the sample services, and a route `/resumed/ticker` whose
events have ids.
"""

import json
import ssl

import httpx
from httpx_sse import SSEError, connect_sse

# Generous: it only ends a call that hangs.
PATIENCE = 30

TICKER = "/v1/ticker?count=3&interval=0.01s"
RESUMED = "/resumed/ticker?count=5&interval=0.01s"


class Source:
    """One request of a client that follows events, and what came of it."""

    def __init__(self, site, path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        trust = ssl.create_default_context(cafile=site.certificate)
        client = httpx.Client(timeout=PATIENCE, verify=trust)
        with client, connect_sse(client, "GET", site.url(path), headers=headers) as source:
            self.status = source.response.status_code
            self.headers = source.response.headers
            self.events = []
            self.failure = None
            try:
                # A block without data is no event (WHATWG HTML §9.2.6); httpx-sse gives one for a `retry:` alone.
                self.events = [event for event in source.iter_sse() if event.data]
            except SSEError as error:
                # An answer that is no stream of events.
                self.failure = str(error)
                self.body = source.response.read()

    def told(self):
        return [(event.event, event.id, json.loads(event.data)) for event in self.events]

    def cursors(self):
        return [int(data["cursor"]) for name, _, data in self.told() if name in ("message", "sale")]


def to_the_end(site):
    source = Source(site, TICKER)
    assert source.status == 200 and source.headers["content-type"] == "text/event-stream", source.headers
    assert "content-encoding" not in source.headers, source.headers
    assert source.cursors() == [1, 2, 3], source.told()
    assert source.told()[-1] == ("end", "transom-end", {"code": 0}), source.told()


def who_has_had_the_end_is_sent_away(site):
    source = Source(site, TICKER, last_event_id="transom-end")
    assert (source.status, source.events) == (204, []), source.told()


def unary_is_one_event(site):
    names = [event.event for event in Source(site, "/v1/shelves").events]
    assert names == ["message", "end"], names


def an_error_in_the_stream_is_an_event(site):
    source = Source(site, f"{TICKER}&fail_after=2&fail_code=9")
    assert [event.event for event in source.events] == ["message", "message", "error"], source.told()
    assert source.told()[-1][2]["code"] == 9, source.told()


def an_error_before_the_stream_is_a_status(site):
    source = Source(site, "/v1/ticker?count=nonsense")
    assert (source.status, source.events) == (400, []) and source.failure, source.told()
    assert json.loads(source.body)["code"] == 3, source.body


def what_can_be_tried_again_just_ends(site):
    source = Source(site, f"{TICKER}&fail_after=2")
    assert [event.event for event in source.events] == ["message", "message"], source.told()


def an_eventsource_is_never_told_unavailable(site):
    # httpx-sse asks as an EventSource does: for events alone, and for none from a cache.
    source = Source(site, "/v1/failures/14")
    assert (source.status, source.events) == (200, []), source.told()


def it_comes_back_to_its_place(site):
    first = Source(site, RESUMED)
    assert first.cursors() == [1, 2, 3, 4, 5], first.told()
    assert [event.id for event in first.events[:5]] == ["1", "2", "3", "4", "5"], first.told()
    assert [event.event for event in first.events] == ["sale"] * 5 + ["end"], first.told()
    for headers, query in [({"last_event_id": "3"}, ""), ({}, "&lastEventId=3")]:
        again = Source(site, f"{RESUMED}{query}", **headers)
        assert again.cursors()[0] == 4, again.told()
    assert Source(site, RESUMED, last_event_id="not an id").status == 400


CHECKS = [
    to_the_end,
    who_has_had_the_end_is_sent_away,
    unary_is_one_event,
    an_error_in_the_stream_is_an_event,
    an_error_before_the_stream_is_a_status,
    what_can_be_tried_again_just_ends,
    an_eventsource_is_never_told_unavailable,
    it_comes_back_to_its_place,
]

