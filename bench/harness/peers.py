"""How each gateway is started: one worker, its listener on `port`, the sample server behind it.

The peers write no access log. Transom writes its own, which cannot be turned off, to where it is thrown away.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import install

ENVOY_TYPES = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True)
class Peer:
    """A gateway and the fronts it has: `h1` and `h2` speak JSON, `grpc` and `grpc-h1` forward."""

    name: str
    fronts: tuple[str, ...]
    prepare: Callable[[], Path]
    command: Callable[[Path, int, int, Path], list]
    variables: tuple[tuple[str, str], ...] = ()


def transom(binary: Path, port: int, upstream: int, folder: Path) -> list:
    path = folder / "gateway.toml"
    path.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\nworkers = 1\n\n[admin]\nlisten = "127.0.0.1:{port + 1000}"\n\n'
        f'[[schema]]\ndescriptor_set = "{install.PLACE / "bench.binpb"}"\n\n'
        f'[upstreams.bench]\nendpoints = ["http://127.0.0.1:{upstream}"]\n'
    )
    return [binary, "serve", "--config", path]


def envoy(binary: Path, port: int, upstream: int, folder: Path) -> list:
    transcoder = {
        "@type": f"{ENVOY_TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor_bin": base64.b64encode((install.PLACE / "bench.binpb").read_bytes()).decode(),
        "services": ["bench.v1.Bench"],
        "convert_grpc_status": True,
        # Otherwise it hands what has no rule to the sample server, and there would be no 404 to measure.
        "request_validation_options": {"reject_unknown_method": True},
    }
    return _envoy(binary, port, upstream, folder, [{"name": "transcoder", "typed_config": transcoder}])


def envoy_forwarding(binary: Path, port: int, upstream: int, folder: Path) -> list:
    return _envoy(binary, port, upstream, folder, [])


def _envoy(binary: Path, port: int, upstream: int, folder: Path, filters: list) -> list:
    router = {"name": "router", "typed_config": {"@type": f"{ENVOY_TYPES}.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{ENVOY_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
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

PEERS = [
    Peer("Transom", ("h1", "h2", "grpc"), lambda: install.ROOT / "target/dist/transom", transom),
    Peer("Envoy 1.40 transcoder", ("h1", "h2"), install.envoy, envoy),
    Peer("grpc-gateway 2.27.3", ("h1",), lambda: install.go("grpc-gateway"), addressed, ONE_PROCESSOR),
    Peer("vanguard 0.4.0", ("h1",), lambda: install.go("vanguard"), addressed, (*ONE_PROCESSOR, DESCRIPTORS)),
    Peer("structured-proxy 8.1.5", ("h1",), install.structured_proxy, structured_proxy, (("RUST_LOG", "off"),)),
    Peer("Envoy 1.40 forwarding", ("grpc",), install.envoy, envoy_forwarding),
    Peer("nginx grpc_pass", ("grpc",), install.nginx, nginx),
    Peer("hyper forwarder", ("grpc-h1", "grpc"), lambda: install.binary("forward"), addressed),
]
