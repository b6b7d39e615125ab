"""A gateway over TLS in front of the sample services, with a certificate and a token issuer made for it.

Look here for what the browser talks to. Everything is in one temporary folder, and each process that is
started here is ended here.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Generous: it only ends what hangs.
PATIENCE = 60

CONFIG = """
[server]
tls = {{ cert = "tls.crt", key = "tls.key" }}

[[schema]]
protos = ["{root}/proto/transom/demo/v1/*.proto"]
include = ["{root}/proto"]

[upstreams.demo]
endpoints = ["http://127.0.0.1:{port}"]

[defaults]
auth = "none"
sse = {{ retry = "200ms" }}
websocket = {{ message = "64KiB" }}

[auth.issuer]
type = "jwt"
issuer = "https://issuer.example"
audiences = ["browser"]
jwks = "file:jwks.json"

[[routes]]
selector = "transom.demo.v1.Ticker.Watch"
get = "/guarded/ticker"
auth = "issuer"
websocket = {{ cookie = "session" }}

[[routes]]
selector = "transom.demo.v1.Ticker.Watch"
get = "/resumed/ticker"
resume = {{ response_field = "cursor", request_field = "after" }}
sse = {{ event = "sale" }}
"""


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, **options).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Lines:
    """What a process prints, read as it comes: a full pipe would stop it."""

    def __init__(self, stream):
        self.lines = []
        self.more = threading.Condition()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        for line in stream:
            with self.more:
                self.lines.append(line)
                self.more.notify_all()

    def find(self, fits, start=0):
        """The first line from `start` on that fits, waited for."""
        deadline = time.monotonic() + PATIENCE
        with self.more:
            while True:
                for line in self.lines[start:]:
                    if fits(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or not self.more.wait(left):
                    raise AssertionError(f"the line does not come; there are {self.lines[-20:]}")


class Site:
    """The folder, the sample services and, between `start` and `stop`, the gateway."""

    def __init__(self, transom, upstream):
        self.transom = Path(transom).resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="transom-site-"))
        self.port = 0
        self.gateway = None
        self.access = None
        self.samples = subprocess.Popen([upstream, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        port = self.samples.stdout.readline().rsplit(":", 1)[-1].strip()
        self._make_certificate()
        self._make_issuer()
        (self.folder / "gateway.toml").write_text(CONFIG.format(root=ROOT, port=port))

    def _make_certificate(self):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        out = ["-keyout", "tls.key", "-out", "tls.crt"]
        openssl("req", "-x509", *curve, *name, *out, cwd=self.folder)
        self.certificate = self.folder / "tls.crt"
        public = openssl("pkey", "-in", "tls.key", "-pubout", "-outform", "der", cwd=self.folder)
        # What Chromium calls the SPKI of a certificate.
        self.public_key = base64.b64encode(hashlib.sha256(public).digest()).decode()

    def _make_issuer(self):
        openssl("genrsa", "-out", "issuer.key", "2048", cwd=self.folder)
        modulus = openssl("rsa", "-in", "issuer.key", "-noout", "-modulus", cwd=self.folder)
        n = bytes.fromhex(modulus.decode().strip().removeprefix("Modulus="))
        key = {"kty": "RSA", "kid": "1", "alg": "RS256", "n": base64url(n), "e": base64url(b"\x01\x00\x01")}
        (self.folder / "jwks.json").write_text(json.dumps({"keys": [key]}))

    def token(self, lifetime=600):
        """A token (RFC 7519) that is good for so many seconds."""
        claims = {"iss": "https://issuer.example", "aud": "browser", "sub": "page", "exp": int(time.time()) + lifetime}
        parts = [{"alg": "RS256", "kid": "1"}, claims]
        signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        signature = openssl("dgst", "-sha256", "-sign", "issuer.key", input=signed.encode(), cwd=self.folder)
        return f"{signed}.{base64url(signature)}"

    def start(self):
        """Starts the gateway; a later start takes the port of the first."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TRANSOM_")},
            "TRANSOM_SERVER__LISTEN": f"127.0.0.1:{self.port}",
            "TRANSOM_ADMIN__LISTEN": "127.0.0.1:0",
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.gateway = subprocess.Popen([self.transom, "serve"], cwd=self.folder, env=environment, **pipes)
        self.access = Lines(self.gateway.stdout)
        serving = Lines(self.gateway.stderr).find(lambda line: '"serving"' in line)
        self.port = int(json.loads(serving)["listen"].rsplit(":", 1)[-1])

    def stop(self):
        """Ends the gateway as an operator does, and waits for its end."""
        self.gateway.terminate()
        code = self.gateway.wait(timeout=PATIENCE)
        assert code == 0, f"the gateway ended with {code}"

    def url(self, path, host="localhost"):
        return f"https://{host}:{self.port}{path}"

    def logged(self, **fields):
        """The first line of the access log with these fields, waited for."""

        def fits(line):
            entry = json.loads(line)
            return all(entry.get(name) == value for name, value in fields.items())

        return json.loads(self.access.find(fits))

    def close(self):
        for process in (self.gateway, self.samples):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
