"""Drives the gateway with a real Chromium, over HTTP/2 and over HTTP/1.1, and prints a table of what ran.

`target/python/bin/python tests/browser/run.py TRANSOM UPSTREAM [CHECK…]` takes the two programs: the gateway
and the sample services (`cargo build --bin transom --example upstream`). The exit code is 0 when every check
has passed in both versions.
"""

import sys
import time
import traceback

from checks import CHECKS
from chromium import Chromium
from gateway import Site

VERSIONS = [("h2", []), ("http/1.1", ["--disable-http2"])]


def run(check, browser, site, version):
    """Whether a check passes, and how long it took."""
    started = time.monotonic()
    try:
        check(browser, site, version)
        passed = True
    except Exception:
        traceback.print_exc()
        passed = False
    return passed, time.monotonic() - started


def serve(transom, upstream, version, options, checks):
    """All checks with one browser; their results by name."""
    site = Site(transom, upstream)
    browser = None
    try:
        site.start()
        browser = Chromium([site.public_key], *options)
        browser.open(site.url("/v1/shelves"))
        spoken = browser.call("spoken")
        assert spoken == version, f"the browser speaks {spoken}"
        print(f"{browser.version()} over {version}", flush=True)
        return {check.__name__: run(check, browser, site, version) for check in checks}
    finally:
        if browser is not None:
            browser.close()
        site.close()


def cell(result):
    passed, seconds = result
    return f"{'ok' if passed else 'FAILED':<6} {seconds:5.1f} s"


def main():
    transom, upstream, *names = sys.argv[1:]
    checks = [check for check in CHECKS if not names or check.__name__ in names]
    results = {version: serve(transom, upstream, version, options, checks) for version, options in VERSIONS}
    print(f"\n{'':44}" + "".join(f"{version:16}" for version in results))
    for check in checks:
        print(f"{check.__name__:44}" + "".join(f"{cell(of[check.__name__]):16}" for of in results.values()))
    failed = sum(not passed for of in results.values() for passed, _ in of.values())
    print(f"{len(checks) * len(results) - failed} passed, {failed} failed")
    return 1 if failed or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
