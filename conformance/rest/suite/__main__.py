"""`run --gateway transom|envoy|URL`: sends every case through a gateway and tells which failed.

One line for each case that failed, then `N passed, N failed`; the exit code is 0 when all went as they must:
all passed, or differences/NAME.toml has a reason for each that did not.
"""

import argparse
import sys
import tempfile
import tomllib
from pathlib import Path

from . import cases, check, page
from .echo import Echo
from .gateways import gateway
from .schema import Schema, compile_descriptor_set

DIFFERENCES = Path(__file__).resolve().parent.parent / "differences"


def main() -> int:
    options = _options()
    if options.descriptor_set:
        options.descriptor_set.write_bytes(compile_descriptor_set())
        return 0
    schema = Schema(compile_descriptor_set())
    chosen = cases.load(options.case)
    echo = Echo(schema)
    upstream = echo.start(options.upstream_port)
    results, failed = {}, False
    try:
        for name in options.gateway:
            with tempfile.TemporaryDirectory(prefix="transcoding-") as folder:
                with gateway(name, schema, upstream, Path(folder)) as address:
                    results[name] = {case.name: check.run(case, address, echo, schema) for case in chosen}
            failed |= _report(name, chosen, results[name], whole=not options.case)
    finally:
        echo.stop()
    if options.page:
        options.page.write_text(page.render(chosen, results, {name: _differences(name) for name in results}))
    return int(failed)


def _options():
    parser = argparse.ArgumentParser(prog="conformance/rest/run", description=__doc__.splitlines()[0])
    parser.add_argument("--gateway", action="append", default=[], help="transom, envoy or http://HOST:PORT; again for more")
    parser.add_argument("--case", action="append", default=[], help="only cases whose name starts so")
    parser.add_argument("--upstream-port", type=int, default=0, help="of the echo upstream; needed with a URL")
    parser.add_argument("--descriptor-set", type=Path, help="write the suite's descriptor set here, and do nothing else")
    parser.add_argument("--page", type=Path, help="write the results page here")
    options = parser.parse_args()
    if not options.gateway and not options.descriptor_set:
        parser.error("--gateway is needed")
    return options


def _differences(name: str) -> list[dict]:
    path = DIFFERENCES / f"{name}.toml"
    return tomllib.loads(path.read_text())["difference"] if path.exists() else []


def _report(name: str, chosen, results, whole: bool) -> bool:
    """Prints what failed; gives whether anything failed for which no difference gives a reason, or none is left
    of what a difference speaks of."""
    failed = [case for case in chosen if results[case.name]]
    prefixes = [prefix for difference in _differences(name) for prefix in difference["prefix"]]
    unexplained = [case for case in failed if not case.name.startswith(tuple(prefixes))]
    for case in unexplained:
        print(f"FAILED  {case.name} [{case.level}, {case.clause}]: {'; '.join(results[case.name])}")
    stale = [prefix for prefix in prefixes if whole and not any(case.name.startswith(prefix) for case in failed)]
    for prefix in stale:
        print(f"PASSED  {prefix}, of which differences/{name}.toml speaks")
    explained = len(failed) - len(unexplained)
    suffix = f", {explained} of them explained in differences/{name}.toml" if explained else ""
    print(f"{name}: {len(chosen) - len(failed)} passed, {len(failed)} failed{suffix}", flush=True)
    return bool(unexplained or stale)


if __name__ == "__main__":
    sys.exit(main())
