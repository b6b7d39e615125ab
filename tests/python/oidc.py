"""An OpenID Connect issuer that is not ours, on joserfc: it publishes its keys by discovery and rotates them while calls
flow through a gateway. Not one good token may be refused, by any client, for any algorithm.

    oidc.py GATEWAY

GATEWAY is the binary. The issuer signs with a new key at once, before anybody has fetched it: the hardest way to rotate.
"""

import base64
import contextlib
import hmac
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import grpc
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

HERE = pathlib.Path(__file__).resolve().parent
PROTOS = HERE.parent.parent / "proto"
ROTATIONS = 5
PAUSE = 0.6  # seconds between two rotations

# RFC 9864 prefers another name for EdDSA than most issuers do.
warnings.filterwarnings("ignore", message="EdDSA is deprecated")

MAKERS = {
    "RS256": lambda parameters: RSAKey.generate_key(2048, parameters),
    "PS256": lambda parameters: RSAKey.generate_key(2048, parameters),
    "ES256": lambda parameters: ECKey.generate_key("P-256", parameters),
    "EdDSA": lambda parameters: OKPKey.generate_key("Ed25519", parameters),
}


class Issuer:
    """Signs with the newest key of each algorithm, and publishes all that it has not taken back."""

    def __init__(self):
        self.lock = threading.Lock()
        self.fetches = {"openid-configuration": 0, "keys": 0}
        self.published = []
        self.newest = {}
        self.rotate()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.name = f"http://127.0.0.1:{self.server.server_port}/tenant"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rotate(self):
        """New keys for all algorithms; those of the rotation before last are taken back."""
        keys = {alg: make({"use": "sig", "alg": alg, "kid": f"{alg}-{time.time_ns()}"}) for alg, make in MAKERS.items()}
        with self.lock:
            self.published = self.published[-len(keys) :] + list(keys.values())
            self.newest = keys

    def token(self, alg, header=None, key=None, **changes):
        now = int(time.time())
        claims = {"iss": self.name, "aud": ["shop", "other"], "sub": "ada", "iat": now, "nbf": now, "exp": now + 300}
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        with self.lock:
            key = key or self.newest[alg]
        header = {"alg": alg, "kid": key.kid, "typ": "JWT", **(header or {})}
        return jwt.encode(header, claims, key, algorithms=[alg])

    def document(self, path):
        with self.lock:
            if path == "/tenant/.well-known/openid-configuration":
                self.fetches["openid-configuration"] += 1
                return {"issuer": self.name, "jwks_uri": f"{self.name}/keys", "response_types_supported": ["code"]}
            if path == "/tenant/keys":
                self.fetches["keys"] += 1
                return {"keys": [key.as_dict(private=False) for key in self.published]}
        return None

    def handler(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                document = issuer.document(self.path)
                body = json.dumps(document or {}).encode()
                self.send_response(200 if document else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


def config(issuer, upstream):
    return f"""
[server]
listen = "127.0.0.1:0"
workers = 2

[admin]
listen = "127.0.0.1:0"

[auth.users]
type = "jwt"
issuer = "{issuer}"
audiences = ["shop"]
algorithms = {json.dumps(list(MAKERS))}

[[schema]]
protos = ["{PROTOS}/transom/demo/v1/*.proto"]
include = ["{PROTOS}"]

[upstreams.demo]
endpoints = ["http://127.0.0.1:{upstream}"]

[defaults]
auth = "users"
"""


@contextlib.contextmanager
def running(command, address):
    """A process, and what `address` makes of its first lines; it ends with the block."""
    if command[-1] == "serve":
        process = subprocess.Popen(command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        lines = process.stderr
    else:
        process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE)
        lines = process.stdout
    try:
        for line in lines:
            found = address(line)
            if found:
                break
        else:
            sys.exit(f"{command[0]} has ended before it served")
        threading.Thread(target=lines.read, daemon=True).start()
        yield found
    finally:
        process.terminate()
        process.wait(30)


def port_of(line):
    return line.strip().replace(":", " ").split()[-1]


def serving(line):
    line = json.loads(line)
    return line if line.get("message") == "serving" else None


class Traffic:
    """Calls of one client with tokens of one algorithm, until it is stopped."""

    def __init__(self, call, issuer, alg):
        self.call, self.issuer, self.alg = call, issuer, alg
        self.served, self.refused, self.stopped = 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped.is_set():
            answer = self.call(self.issuer.token(self.alg))
            self.served += 1
            if answer != 200:
                self.refused.append(answer)

    def stop(self):
        self.stopped.set()
        self.thread.join(30)


def by_http(address, target):
    """A client with one connection, which is opened again where it was closed."""
    connection = http.client.HTTPConnection(*address, timeout=30)

    def call(token):
        connection.request("GET", target, headers={"authorization": f"Bearer {token}", "accept": "text/event-stream, */*"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return call


def by_grpc(address):
    channel = grpc.insecure_channel("%s:%d" % address)
    method = channel.unary_unary("/transom.demo.v1.Bookshop/ListShelves", bytes, bytes)

    def call(token):
        try:
            method(b"", metadata=[("authorization", f"Bearer {token}")], timeout=30)
        except grpc.RpcError as error:
            return error.code().name
        return 200

    return call


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(header):
    return base64url(json.dumps(header).encode())


def forged(issuer):
    """Tokens that an issuer of that name never gave away, each with what is wrong with it."""
    stranger = {alg: make({"kid": issuer.newest[alg].kid}) for alg, make in MAKERS.items()}
    for alg, key in stranger.items():
        yield f"{alg} by another key of the same name", issuer.token(alg, key=key)
    head, claims, _ = issuer.token("RS256").split(".")
    # By hand: the library knows this trick.
    signed = f"{encoded({'alg': 'HS256', 'kid': issuer.newest['RS256'].kid})}.{claims}"
    code = hmac.digest(issuer.newest["RS256"].as_pem(private=False), signed.encode(), "sha256")
    yield "HS256 with the public key", f"{signed}.{base64url(code)}"
    for name in ("none", "None", "RS257"):
        yield f"alg {name}", f"{encoded({'alg': name})}.{claims}."
    yield "no signature", f"{head}.{claims}."
    other = RSAKey.import_key(issuer.newest["RS256"].as_pem(private=True), {"kid": issuer.newest["RS256"].kid})
    yield "PS256 by a key for RS256", issuer.token("PS256", key=other)
    yield "another audience", issuer.token("ES256", aud="other")
    yield "no audience", issuer.token("ES256", aud=None)
    yield "expired", issuer.token("ES256", exp=int(time.time()) - 60)
    yield "not yet", issuer.token("ES256", nbf=int(time.time()) + 120)
    yield "another issuer", issuer.token("ES256", iss=issuer.name + "/")


def main(gateway):
    issuer = Issuer()
    upstream = [sys.executable, str(HERE / "server.py"), "--port", "0"]
    passed, failed = 0, []

    def holds(what, is_so, *told):
        nonlocal passed
        passed += is_so
        if not is_so:
            failed.append(what)
            print("FAILED:", what, *told)

    with tempfile.TemporaryDirectory() as folder, running(upstream, port_of) as port:
        file = pathlib.Path(folder, "gateway.toml")
        file.write_text(config(issuer.name, port))
        with running([gateway, "--config", str(file), "serve"], serving) as told:
            host, number = told["listen"].rsplit(":", 1)
            address = (host, int(number))
            first = issuer.token("RS256")
            traffic = []
            for alg in MAKERS:
                traffic.append(Traffic(by_http(address, "/v1/shelves"), issuer, alg))
                traffic.append(Traffic(by_grpc(address), issuer, alg))
            traffic.append(Traffic(by_http(address, "/v1/ticker?count=2&interval=0.01s"), issuer, "ES256"))
            for _ in range(ROTATIONS):
                time.sleep(PAUSE)
                issuer.rotate()
            time.sleep(PAUSE)
            for client in traffic:
                client.stop()
                holds(f"{client.alg} is let in", client.served > 5 and not client.refused, client.served, client.refused[:3])
            served = sum(client.served for client in traffic)
            print(f"{served} calls, {ROTATIONS} rotations, {issuer.fetches['keys']} fetches of keys")
            holds("one fetch a rotation", ROTATIONS < issuer.fetches["keys"] <= ROTATIONS + 2, issuer.fetches)
            ask = by_http(address, "/v1/shelves")
            holds("a withdrawn key is unknown", ask(first) == 401)
            for what, token in forged(issuer):
                status = ask(token)
                holds(what, status == 401, status)
            holds("it still goes on", ask(issuer.token("EdDSA")) == 200)
    print(f"{passed} passed, {len(failed)} failed")
    return not failed


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1]))
