"""Node with the packages `ws` and `eventsource`, driven like a browser: the same checks, by clients of other makers.

Look here for how JavaScript gets into Node and its result out. What is tried is `checks.py`'s.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = HERE.parents[1] / "target/node"


class Node:
    """A process of Node that trusts one certificate."""

    def __init__(self, certificate):
        program = shutil.which("node")
        if program is None or not (PACKAGES / "node_modules").exists():
            raise SystemExit(f"Node or its packages are missing: tests/run installs them into {PACKAGES}")
        self.program = program
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(certificate)}
        self.process = subprocess.Popen([program, HERE / "node.mjs", PACKAGES], env=environment, **pipes)

    def version(self):
        names = {name: json.loads((PACKAGES / f"node_modules/{name}/package.json").read_text()) for name in ("ws", "eventsource")}
        node = subprocess.run([self.program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        return ", ".join([f"Node {node}", *(f"{name} {package['version']}" for name, package in names.items())])

    @staticmethod
    def streams_uploads(_version):
        """Whether `fetch` sends a body that it does not have yet."""
        return True

    def open(self, url):
        """Goes to a page, as far as that means anything here."""
        self.evaluate(f"location = new URL({json.dumps(url)}), 0")

    def evaluate(self, expression):
        """The value of an expression, awaited when it is a promise."""
        assert "\n" not in expression, expression
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, (expression[-200:], answer["error"])
        return answer.get("value")

    def call(self, function, *arguments):
        """What a function of page.js returns."""
        return self.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")

    def close(self):
        self.process.kill()
        self.process.wait()
