"""Drives the gateway with clients that are not ours, and prints a table of what ran.

`target/python/bin/python tests/browser/run.py TRANSOM UPSTREAM [CHECK…]` takes the two programs: the gateway
and the sample services (`cargo build --bin transom --example upstream`). Every check runs with a real
Chromium over HTTP/2 and over HTTP/1.1, and with Node's `ws` and `eventsource`. The exit code is 0 when all
have passed.
"""

import sys
import time
import traceback

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


def run(check, client, site, version):
    """Whether a check passes, and how long it took."""
    started = time.monotonic()
    try:
        check(client, site, version)
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


def cell(result):
    passed, seconds = result
    return f"{'ok' if passed else 'FAILED':<6} {seconds:5.1f} s"


def main():
    transom, upstream, *names = sys.argv[1:]
    checks = [check for check in CHECKS if not names or check.__name__ in names]
    results = {name: serve(transom, upstream, *client, checks) for name, client in CLIENTS.items()}
    print(f"\n{'':44}" + "".join(f"{name:20}" for name in results))
    for check in checks:
        print(f"{check.__name__:44}" + "".join(f"{cell(of[check.__name__]):20}" for of in results.values()))
    failed = sum(not passed for of in results.values() for passed, _ in of.values())
    print(f"{len(checks) * len(results) - failed} passed, {failed} failed")
    return 1 if failed or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
