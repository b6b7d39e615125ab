"""A headless Chromium with one page, driven through the DevTools protocol.

Look here for how JavaScript gets into the page and its result out. What is tried there is `checks.py`'s.
"""

import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from websockets.sync.client import connect

PAGE = (Path(__file__).parent / "page.js").read_text()

# Generous: it only ends what hangs.
PATIENCE = 60


class Chromium:
    """A browser with a profile of its own; `keys` are the public keys of certificates that it takes."""

    def __init__(self, keys, *options):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            raise SystemExit("Chromium is missing: apt-get install chromium")
        self.profile = tempfile.mkdtemp(prefix="transom-chromium-")
        self.process = subprocess.Popen(
            [
                program,
                "--headless=new",
                # Without it, Chromium does not run as root, as containers do.
                "--no-sandbox",
                "--disable-gpu",
                # /dev/shm is too small in many containers.
                "--disable-dev-shm-usage",
                # It calls nobody but the gateway.
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                f"--ignore-certificate-errors-spki-list={','.join(keys)}",
                f"--user-data-dir={self.profile}",
                "--remote-debugging-port=0",
                *options,
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.ids = itertools.count(1)
        self.page = connect(self._page_url(), max_size=None, compression=None, open_timeout=PATIENCE)

    def _page_url(self):
        port = self._port()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
            time.sleep(0.1)
        raise SystemExit("Chromium has no page")

    def _port(self):
        file = Path(self.profile) / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"Chromium ended by itself with {self.process.returncode}")
            with contextlib.suppress(OSError, IndexError):
                return file.read_text().splitlines()[0]
            time.sleep(0.1)
        raise SystemExit("Chromium does not start")

    def _command(self, method, **params):
        number = next(self.ids)
        self.page.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.page.recv(timeout=PATIENCE))
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def version(self):
        return self._command("Browser.getVersion")["product"]

    @staticmethod
    def streams_uploads(version):
        """Whether `fetch` sends a body that it does not have yet: Chromium does over HTTP/2 alone."""
        return version == "h2"

    def open(self, url):
        """Goes to a page and puts the functions of page.js into it."""
        result = self._command("Page.navigate", url=url)
        assert "errorText" not in result, (url, result)
        deadline = time.monotonic() + PATIENCE
        while self.evaluate("document.readyState + location.href") != "complete" + url:
            assert time.monotonic() < deadline, f"{url} does not load"
            time.sleep(0.05)
        self.evaluate(PAGE + "\n0")

    def evaluate(self, expression):
        """The value of an expression, awaited when it is a promise."""
        result = self._command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in result, (expression[-200:], result["exceptionDetails"])
        return result["result"].get("value")

    def call(self, function, *arguments):
        """What a function of page.js returns."""
        return self.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")

    def close(self):
        with contextlib.suppress(Exception):
            self.page.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
