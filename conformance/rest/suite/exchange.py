"""HTTP/1.1 as the cases have it, byte for byte: no client library stands between them and a gateway."""

import socket
from dataclasses import dataclass
from http.client import HTTPResponse

PATIENCE = 10
"""Seconds; it only ends an exchange that hangs."""


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


def exchange(address: tuple[str, int], method: str, target: str, headers: dict[str, str], body: bytes | None):
    """One request on a connection of its own. An empty value takes a header away."""
    fields = {"host": f"{address[0]}:{address[1]}", "connection": "close"}
    if body is not None:
        fields |= {"content-length": str(len(body)), "content-type": "application/json"}
    fields |= {name.lower(): value for name, value in headers.items()}
    head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + (body or b""))
        response = HTTPResponse(connection, method=method)
        response.begin()
        return Response(response.status, _joined(response.getheaders()), response.read())


def _joined(pairs) -> dict[str, str]:
    headers = {}
    for name, value in pairs:
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
