"""Cases as they stand in the files, checked and spread out: ../README.md describes the format."""

import base64
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "cases"
LEVELS = ("required", "recommended")
KEYS = {
    "name", "clause", "level", "send", "headers", "body", "body_base64", "status", "call", "message", "messages", "response",
    "response_base64", "response_headers", "allow", "error", "violation", "replies", "reply_wire", "fail", "rows",
}  # fmt: skip


@dataclass
class Case:
    name: str
    theme: str
    clause: str
    level: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    status: tuple[int, ...] = (200,)
    call: str | None = None
    message: str | None = None
    messages: list[str] | None = None
    response: str | None = None
    response_bytes: bytes | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    error: str | None = None
    violation: str | None = None
    script: dict = field(default_factory=dict)


def load(names: list[str]) -> list[Case]:
    """The cases of all files, or those whose name starts with one of `names`."""
    clauses = tomllib.loads((FOLDER / "clauses.toml").read_text())
    cases = []
    for path in sorted(FOLDER.glob("*.toml")):
        if path.stem == "clauses":
            continue
        for entry in tomllib.loads(path.read_text())["case"]:
            cases.extend(_spread(path.stem, entry, clauses))
    seen = set()
    for case in cases:
        if case.name in seen:
            sys.exit(f"two cases are called {case.name}")
        seen.add(case.name)
    return [case for case in cases if not names or case.name.startswith(tuple(names))]


def _spread(theme: str, entry: dict, clauses: dict) -> list[Case]:
    """The one case of an entry, or one for each way to send and each row."""
    name = f"{theme}/{entry.get('name')}"
    if unknown := entry.keys() - KEYS:
        sys.exit(f"{name}: no such keys: {', '.join(unknown)}")
    if entry["clause"] not in clauses:
        sys.exit(f"{name}: clauses.toml has no {entry['clause']}")
    sends = entry["send"] if isinstance(entry["send"], list) else [entry["send"]]
    calls = entry["call"] if isinstance(entry.get("call"), list) else [entry.get("call")] * len(sends)
    if len(calls) != len(sends):
        sys.exit(f"{name}: as many calls as ways to send")
    if "rows" not in entry:
        names = [name if len(sends) == 1 else f"{name} ({send})" for send in sends]
        return [
            _case(name, theme, {**entry, "call": call}, send) for name, send, call in zip(names, sends, calls)
        ]
    cases = []
    for send, call in zip(sends, calls):
        for value, expected in entry["rows"].items():
            row = {**entry, "call": call, **({"status": expected} if isinstance(expected, int) else {"message": expected})}
            if "$" not in send:
                row["body"] = entry.get("body", "$").replace("$", value)
            place = f" in {send.split()[1].split('$')[0]}" if len(sends) > 1 else ""
            cases.append(_case(f"{name}{place} [{value}]", theme, row, send.replace("$", value)))
    return cases


def _case(name: str, theme: str, entry: dict, send: str) -> Case:
    method, target = send.split(" ", 1)
    level = entry.get("level", "required")
    if level not in LEVELS:
        sys.exit(f"{name}: no such level: {level}")
    status = entry.get("status", 200)
    body = entry.get("body")
    return Case(
        name=name,
        theme=theme,
        clause=entry["clause"],
        level=level,
        method=method,
        target=target,
        headers=entry.get("headers", {}),
        body=_bytes(body, entry.get("body_base64")),
        status=tuple(status) if isinstance(status, list) else (status,),
        call=entry.get("call"),
        message=entry.get("message"),
        messages=entry.get("messages"),
        response=entry.get("response"),
        response_bytes=_bytes(None, entry.get("response_base64")),
        response_headers=entry.get("response_headers", {}),
        allow=tuple(entry.get("allow", ())),
        error=entry.get("error"),
        violation=entry.get("violation"),
        script={key: entry[key] for key in ("replies", "reply_wire", "fail") if key in entry},
    )


def _bytes(text: str | None, encoded: str | None) -> bytes | None:
    if encoded is not None:
        return base64.b64decode(encoded, validate=True)
    return None if text is None else text.encode()
