"""What is wrong with one exchange, as far as its case says."""

import json

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from .exchange import exchange


def run(case, address, echo, schema) -> list[str]:
    """Sends a case; gives what is wrong, nothing when it passed."""
    echo.expect(case.script)
    try:
        response = exchange(address, case.method, case.target, case.headers, case.body)
    except (OSError, ValueError) as error:
        return [f"no response: {error!r}"]
    except Exception as error:  # http.client's own errors share no narrower class with its parser's.
        return [f"no HTTP response: {error!r}"]
    found = []
    if response.status not in case.status:
        expected = " or ".join(map(str, case.status))
        found.append(f"status {response.status} instead of {expected}: {_short(response.body)}")
    received = list(echo.received)
    if "fail" in case.script:
        found += [] if received else ["the call did not reach the upstream"]
    elif not found and 200 <= response.status < 300 and case.call:
        found += _check_call(case, received, schema) + _check_answer(case, response, schema)
    elif received and not any(200 <= status < 300 for status in case.status) and "reply_wire" not in case.script:
        found.append(f"the upstream was called, {received[0][0]}")
    return found + _check_headers(case, response) + _check_error(case, response)


def _check_call(case, received, schema) -> list[str]:
    method = schema.method(case.call)
    path = f"/{method.containing_service.full_name}/{method.name}"
    if [name for name, _ in received] != [path]:
        return [f"the upstream received {[name for name, _ in received]} instead of {path}"]
    messages = received[0][1]
    if case.messages is not None:
        found = [_check_message(method, *pair, schema) for pair in zip(case.messages, messages)]
        if len(messages) != len(case.messages):
            found.append([f"the upstream received {len(messages)} messages instead of {len(case.messages)}"])
        return [what for whats in found for what in whats]
    if case.message is None:
        return []
    # How a body is cut into pieces is up to the gateway, and merging messages joins all but their bytes.
    return _check_message(method, case.message, _join(method, messages, schema), schema)


def _check_message(method, expected: str, wire: bytes, schema) -> list[str]:
    expected = schema.text(schema.parse_json(method.input_type, expected))
    try:
        actual = schema.text(schema.parse_wire(method.input_type, wire))
    except DecodeError as error:
        return [f"the upstream received no {method.input_type.full_name}: {error}"]
    return [] if actual == expected else [f"the upstream received {{{actual}}} instead of {{{expected}}}"]


def _join(method, messages: list[bytes], schema) -> bytes:
    """The one message, or the pieces of a raw body put together: of Chunk, the bytes of `content`."""
    if len(messages) == 1:
        return messages[0]
    pieces = [schema.parse_wire(method.input_type, message) for message in messages]
    data = b"".join(piece.content.data for piece in pieces)
    whole = schema.parse_wire(method.input_type, b"".join(messages))
    whole.content.data = data
    return whole.SerializeToString()


def _check_answer(case, response, schema) -> list[str]:
    """The response that the case has, or else what the upstream echoed, in any of ProtoJSON's forms."""
    method = schema.method(case.call)
    if case.response_bytes is not None:
        same = response.body == case.response_bytes
        return [] if same else [f"the body is {response.body!r} instead of {case.response_bytes!r}"]
    if case.response is not None:
        return _check_json(case.response, response.body)
    if case.method == "HEAD":
        return [f"a HEAD has the body {_short(response.body)}"] if response.body else []
    raw = method.output_type.full_name == "google.api.HttpBody"
    if case.message is None or method.output_type is not method.input_type or raw or method.server_streaming:
        return []
    try:
        echoed = schema.text(schema.parse_json(method.output_type, response.body.decode()))
    except (json_format.ParseError, ValueError) as error:
        return [f"the body is no {method.output_type.full_name}: {error}: {_short(response.body)}"]
    sent = schema.text(schema.parse_json(method.input_type, case.message))
    return [] if echoed == sent else [f"the body says {{{echoed}}}, the upstream {{{sent}}}"]


def _check_json(expected: str, body: bytes) -> list[str]:
    try:
        actual = json.loads(body)
    except ValueError:
        return [f"the body is no JSON: {_short(body)}"]
    # As text, so that 1, 1.0 and true are three values.
    same = json.dumps(actual, sort_keys=True) == json.dumps(json.loads(expected), sort_keys=True)
    return [] if same else [f"the body is {_short(body)} instead of {expected}"]


def _check_headers(case, response) -> list[str]:
    found = []
    for name, expected in case.response_headers.items():
        actual = response.headers.get(name, "")
        if name == "content-type" and ";" not in expected:
            actual = actual.split(";")[0]
        if actual.lower() != expected.lower() and not (expected == "*" and actual):
            found.append(f"{name} is {actual!r} instead of {expected!r}")
    allowed = {method.strip() for method in response.headers.get("allow", "").split(",")}
    if missing := set(case.allow) - allowed:
        found.append(f"Allow is {response.headers.get('allow', '')!r}, without {', '.join(sorted(missing))}")
    return found


def _check_error(case, response) -> list[str]:
    if case.error is None and case.violation is None:
        return []
    try:
        body = json.loads(response.body)
    except ValueError:
        return [f"the body of the error is no JSON: {_short(response.body)}"]
    found = []
    if case.error is not None and not _contains(json.loads(case.error), body):
        found.append(f"the error is {_short(response.body)}, which lacks {case.error}")
    if case.violation is not None:
        fields = [violation.get("field") for violation in _violations(body)]
        if case.violation not in fields:
            found.append(f"the violations name {fields} instead of {case.violation}: {_short(response.body)}")
    return found


def _violations(body) -> list[dict]:
    details = body.get("details", []) if isinstance(body, dict) else []
    bad_requests = [detail for detail in details if detail.get("@type", "").endswith("/google.rpc.BadRequest")]
    return [violation for detail in bad_requests for violation in detail.get("fieldViolations", [])]


def _contains(expected, actual) -> bool:
    """Whether `actual` has at least what `expected` has."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and _contains(value, actual[key]) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(actual, list) and all(any(_contains(one, other) for other in actual) for one in expected)
    return expected == actual


def _short(body: bytes) -> str:
    text = body.decode(errors="replace").replace("\n", "\\n")
    return text if len(text) <= 300 else f"{text[:300]}…"
