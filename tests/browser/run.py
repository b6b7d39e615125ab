"""Drives the gateway with clients that are not ours, and prints a table of what ran.

`target/python/bin/python tests/browser/run.py TRANSOM UPSTREAM [CHECK…]` takes the two programs: the gateway
and the sample services (`cargo build --bin transom --example upstream`). Every check runs with a real
Chromium over HTTP/2 and over HTTP/1.1, and with Node's `ws` and `eventsource`; Python's `httpx-sse` has checks of its
own. The exit code is 0 when all have passed.
"""

import sys
import time
import traceback

import events
from checks import CHECKS
from chromium import Chromium
from gateway import Site
from node import Node

# By name: the client, and the HTTP that it has to speak.
CLIENTS = {
    "Chromium, h2": (lambda site: Chromium([site.public_key]), "h2"),
    "Chromium, http/1.1": (lambda site: Chromium([site.public_key], "--disable-http2"), "http/1.1"),
    "Node": (lambda site: Node(site.certificate), "http/1.1"),
}


def run(check, *arguments):
    """Whether a check passes, and how long it took."""
    started = time.monotonic()
    try:
        check(*arguments)
        passed = True
    except Exception:
        traceback.print_exc()
        passed = False
    return passed, time.monotonic() - started


def serve(transom, upstream, start, version, checks):
    """All checks with one client; their results by name."""
    site = Site(transom, upstream)
    client = None
    try:
        site.start()
        client = start(site)
        client.open(site.url("/v1/shelves"))
        spoken = client.call("spoken")
        assert spoken == version, f"it speaks {spoken}"
        print(f"{client.version()} over {version}", flush=True)
        return {check.__name__: run(check, client, site, version) for check in checks}
    finally:
        if client is not None:
            client.close()
        site.close()


def follow(transom, upstream, checks):
    """The checks of the Python client of events; their results by name."""
    site = Site(transom, upstream)
    try:
        site.start()
        return {check.__name__: run(check, site) for check in checks}
    finally:
        site.close()


def cell(result):
    passed, seconds = result
    return f"{'ok' if passed else 'FAILED':<6} {seconds:5.1f} s"


def main():
    transom, upstream, *names = sys.argv[1:]
    checks = [check for check in CHECKS if not names or check.__name__ in names]
    results = {name: serve(transom, upstream, *client, checks) for name, client in CLIENTS.items() if checks}
    print(f"\n{'':44}" + "".join(f"{name:20}" for name in results))
    for check in checks:
        print(f"{check.__name__:44}" + "".join(f"{cell(of[check.__name__]):20}" for of in results.values()))
    followed = follow(transom, upstream, [check for check in events.CHECKS if not names or check.__name__ in names])
    print("\nPython, httpx-sse")
    for name, result in followed.items():
        print(f"{name:44}{cell(result)}")
    told = [result for of in [*results.values(), followed] for result in of.values()]
    failed = sum(not passed for passed, _ in told)
    print(f"{len(told) - failed} passed, {failed} failed")
    return 1 if failed or not told else 0


if __name__ == "__main__":
    sys.exit(main())
