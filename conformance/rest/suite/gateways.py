"""How the gateways under test are started: with the suite's descriptors, in front of the echo upstream."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30
"""Seconds until a gateway must listen."""

ENVOY_REFUSES = {
    # One `response_body` that is no HttpBody makes the whole configuration invalid.
    "transcoding.v1.ResponseBodies",
    # So does a template with a variable behind `**`.
    "transcoding.v1.VariableTails",
}


@contextmanager
def gateway(name: str, schema, upstream: int, folder: Path):
    """The address of a gateway: one of those below, started and ended, or a URL's."""
    if name.startswith("http://"):
        host, _, port = name.removeprefix("http://").rstrip("/").partition(":")
        yield host, int(port or 80)
        return
    port = _free_port()
    command = {"transom": _transom, "envoy": _envoy}[name](schema, upstream, port, folder)
    log = folder / f"{name}.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _wait(process, port, log)
            yield "127.0.0.1", port
        finally:
            process.terminate()


def _transom(schema, upstream: int, port: int, folder: Path) -> list[str]:
    (folder / "schema.binpb").write_bytes(schema.descriptor_set)
    config = folder / "gateway.toml"
    config.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\nworkers = 1\n\n'
        f'[admin]\nlisten = "127.0.0.1:{_free_port()}"\n\n'
        '[[schema]]\ndescriptor_set = "schema.binpb"\n\n'
        f'[upstreams.echo]\nendpoints = ["http://127.0.0.1:{upstream}"]\n'
    )
    binary = os.environ.get("TRANSOM", ROOT / "target/ci/transom")
    return [str(binary), "serve", "--config", str(config)]


def _envoy(schema, upstream: int, port: int, folder: Path) -> list[str]:
    transcoder = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor_bin": base64.b64encode(schema.descriptor_set).decode(),
        "services": [service for service in schema.services() if service not in ENVOY_REFUSES],
        "auto_mapping": True,
        "convert_grpc_status": True,
        "query_param_unescape_plus": True,
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
    }
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "suite",
        "route_config": {
            "virtual_hosts": [
                {"name": "echo", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "echo"}}]}
            ]
        },
        "http_filters": [
            {"name": "transcoder", "typed_config": transcoder},
            {"name": "router", "typed_config": router},
        ],
    }
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": _address(upstream)}}
    config = {
        "static_resources": {
            "listeners": [
                {
                    "address": _address(port),
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "echo",
                    "type": "STATIC",
                    "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
                    "load_assignment": {"cluster_name": "echo", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        }
    }
    path = folder / "envoy.json"
    path.write_text(json.dumps(config))
    binary = os.environ.get("ENVOY", ROOT / "target/envoy/envoy/_bin/envoy")
    return [str(binary), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]


def _address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(process, port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    process.terminate()
    sys.exit(f"the gateway does not listen:\n{log.read_text(errors='replace')[-4000:]}")
