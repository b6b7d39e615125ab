"""How each gateway is started: one worker, its listener on `port`, the sample server behind it.

The peers write no access log, but for the guarded ones. Transom writes its own to where it is thrown away.
"""

import base64
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import install

ISSUER, AUDIENCE = "https://issuer.bench.example", "bench"
"""As in `identity.py`, which another interpreter runs."""

ENVOY_TYPES = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True)
class Peer:
    """A gateway and the fronts it has.

    `h1` and `h2` speak JSON, `socket` speaks it over WebSocket, `grpc` and `grpc-h1` forward; `h1+guard` is `h1` with
    a token that is verified, a rate limit and an access log.
    """

    name: str
    fronts: tuple[str, ...]
    prepare: Callable[[], Path]
    command: Callable[[Path, int, int, Path], list]
    variables: tuple[tuple[str, str], ...] = ()
    cores: str = "0"
    cases: tuple[str, ...] = ()
    """The only cases that it runs; empty for all."""
    big: Callable[[Path, int, int, Path, Path], list] | None = None
    """How it serves another descriptor set, which stands last: all of googleapis."""

    def runs(self, case: str, front: str) -> bool:
        return front in self.fronts and (not self.cases or case in self.cases)

    def is_transcoder(self) -> bool:
        """Whether it speaks JSON to all cases, without a guard."""
        return "h1" in self.fronts and not self.cases


def transom(binary: Path, port: int, upstream: int, folder: Path, more: str = "", workers: int = 1) -> list:
    path = folder / "gateway.toml"
    path.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\nworkers = {workers}\n\n'
        f'[admin]\nlisten = "127.0.0.1:{admin(port)}"\n\n'
        f'[[schema]]\ndescriptor_set = "{install.PLACE / "bench.binpb"}"\n\n'
        f'[upstreams.bench]\nendpoints = ["http://127.0.0.1:{upstream}"]\n{more}'
    )
    return [binary, "serve", "--config", path]


def admin(port: int) -> int:
    """Where Transom's admin listener is."""
    return port + 1000


def transom_big(binary: Path, port: int, upstream: int, folder: Path, descriptors: Path) -> list:
    path = folder / "gateway.toml"
    path.write_text(
        f'collisions = "warn"\n\n[server]\nlisten = "127.0.0.1:{port}"\nworkers = 1\n\n'
        f'[admin]\nlisten = "127.0.0.1:{admin(port)}"\n\n'
        f'[[schema]]\ndescriptor_set = "{descriptors}"\n\n'
        f'[upstreams.bench]\nendpoints = ["http://127.0.0.1:{upstream}"]\nhosts = "annotated"\n'
    )
    return [binary, "serve", "--config", path]


def transom_guarded(binary: Path, port: int, upstream: int, folder: Path) -> list:
    more = (
        '\n[defaults]\nauth = "bench"\nrate_limit = { rate = "1000000/s", burst = 1000000, by = "identity" }\n'
        f'\n[auth.bench]\ntype = "jwt"\nissuer = "{ISSUER}"\naudiences = ["{AUDIENCE}"]\n'
        f'algorithms = ["RS256"]\njwks = "file:{install.PLACE / "jwks.json"}"\n'
    )
    return transom(binary, port, upstream, folder, more)


def transom_twice(binary: Path, port: int, upstream: int, folder: Path) -> list:
    return transom(binary, port, upstream, folder, workers=2)


def envoy(binary: Path, port: int, upstream: int, folder: Path, before=(), log=()) -> list:
    transcoder = _transcoder(install.PLACE / "bench.binpb", ["bench.v1.Bench"])
    return _envoy(binary, port, upstream, folder, [*before, transcoder], log)


def envoy_big(binary: Path, port: int, upstream: int, folder: Path, descriptors: Path) -> list:
    """Without the services that it refuses: it says which, and will not start with them."""
    services = install.services(descriptors)
    while True:
        command = _envoy(binary, port, upstream, folder, [_transcoder(descriptors, services)])
        said = subprocess.run([*command, "--mode", "validate"], capture_output=True, text=True, timeout=120).stderr
        refused = {service for service in services if re.search(rf"\b{re.escape(service)}\.", said)}
        if not refused:
            return command
        services = [service for service in services if service not in refused]


def _transcoder(descriptors: Path, services: list[str]) -> dict:
    config = {
        "@type": f"{ENVOY_TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor_bin": base64.b64encode(descriptors.read_bytes()).decode(),
        "services": services,
        "convert_grpc_status": True,
        # Otherwise it hands what has no rule to the sample server, and there would be no 404 to measure.
        "request_validation_options": {"reject_unknown_method": True},
    }
    return {"name": "transcoder", "typed_config": config}


def envoy_guarded(binary: Path, port: int, upstream: int, folder: Path) -> list:
    provider = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"filename": str(install.PLACE / "jwks.json")},
        "jwt_cache_config": {},
    }
    tokens = {
        "@type": f"{ENVOY_TYPES}.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"bench": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
    }
    whole = {"numerator": 100, "denominator": "HUNDRED"}
    limit = {
        "@type": f"{ENVOY_TYPES}.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "bench",
        "token_bucket": {"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"},
        "filter_enabled": {"default_value": whole},
        "filter_enforced": {"default_value": whole},
    }
    before = [{"name": "tokens", "typed_config": tokens}, {"name": "limit", "typed_config": limit}]
    file = {"@type": f"{ENVOY_TYPES}.access_loggers.file.v3.FileAccessLog", "path": "/dev/null"}
    return envoy(binary, port, upstream, folder, before, [{"name": "file", "typed_config": file}])


def envoy_forwarding(binary: Path, port: int, upstream: int, folder: Path) -> list:
    return _envoy(binary, port, upstream, folder, [])


def _envoy(binary: Path, port: int, upstream: int, folder: Path, filters: list, log=()) -> list:
    router = {"name": "router", "typed_config": {"@type": f"{ENVOY_TYPES}.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{ENVOY_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "access_log": list(log),
        "route_config": {"virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "bench"}}]}
        ]},
        "http_filters": [*filters, router],
    }
    http = {
        "@type": f"{ENVOY_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": "bench",
        "type": "STATIC",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http},
        "load_assignment": {
            "cluster_name": "bench",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    listener = {"address": _address(port), "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}
    path = folder / "envoy.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    return [binary, "-c", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]


def _address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def nginx(binary: Path, port: int, upstream: int, folder: Path) -> list:
    path = folder / "nginx.conf"
    path.write_text(
        f"worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr error;\n"
        "events { worker_connections 4096; }\n"
        "http {\n  access_log off;\n"
        f"  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}\n"
        f"  server {{ listen 127.0.0.1:{port} http2; keepalive_requests 100000000;\n"
        "    location / { grpc_pass grpc://bench; } }\n}\n"
    )
    return [binary, "-p", folder, "-c", path]


def structured_proxy(binary: Path, port: int, upstream: int, folder: Path) -> list:
    path = folder / "proxy.yaml"
    path.write_text(
        f'listen:\n  http: "127.0.0.1:{port}"\nupstream:\n  default: "http://127.0.0.1:{upstream}"\n'
        f'descriptors:\n  - file: "{install.PLACE / "bench.binpb"}"\nservice:\n  name: "bench"\n'
        "runtime:\n  worker_threads: 1\n"
    )
    return [binary, "--config", path]


def addressed(binary: Path, port: int, upstream: int, folder: Path) -> list:
    """What takes two addresses: the forwarder and the Go programs."""
    return [binary, f"127.0.0.1:{port}", f"127.0.0.1:{upstream}"]


ONE_PROCESSOR = (("GOMAXPROCS", "1"),)
DESCRIPTORS = ("DESCRIPTORS", str(install.PLACE / "bench.binpb"))



def shipped() -> Path:
    return install.ROOT / "target/dist/transom"


def guarded(program: Callable[[], Path]) -> Callable[[], Path]:
    """The program, once there is an issuer."""

    def prepare() -> Path:
        install.identity()
        return program()

    return prepare


PEERS = [
    Peer("Transom", ("h1", "h2", "socket", "grpc"), shipped, transom, big=transom_big),
    Peer("Transom, two workers", ("h1",), shipped, transom_twice, cores="0,1", cases=("get", "echo2k")),
    Peer("Transom, guarded", ("h1+guard",), guarded(shipped), transom_guarded),
    Peer("Envoy 1.40 transcoder, guarded", ("h1+guard",), guarded(install.envoy), envoy_guarded),
    Peer("Envoy 1.40 transcoder", ("h1", "h2"), install.envoy, envoy, big=envoy_big),
    Peer("grpc-gateway 2.27.3", ("h1",), lambda: install.go("grpc-gateway"), addressed, ONE_PROCESSOR),
    Peer("vanguard 0.4.0", ("h1",), lambda: install.go("vanguard"), addressed, (*ONE_PROCESSOR, DESCRIPTORS)),
    Peer("structured-proxy 8.1.5", ("h1",), install.structured_proxy, structured_proxy, (("RUST_LOG", "off"),)),
    Peer("Envoy 1.40 forwarding", ("grpc",), install.envoy, envoy_forwarding),
    Peer("nginx grpc_pass", ("grpc",), install.nginx, nginx),
    Peer("hyper forwarder", ("grpc-h1", "grpc"), lambda: install.binary("forward"), addressed),
]
