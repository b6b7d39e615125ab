"""The sample protos as Python modules, generated at import.

`from protos import bookshop_pb2, bookshop_pb2_grpc, …` is all there is to it. Every process generates its
own copy in a temporary folder, so that processes that start at once do not meet, and none is ever stale.
google.api and google.rpc come from the package googleapis-common-protos.
"""

import importlib
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2] / "proto"
NAMES = ("bookshop", "chat", "failures", "files", "import", "ticker")


def _generate(out: str) -> None:
    well_known = resources.files("grpc_tools") / "_proto"
    files = [f"transom/demo/v1/{name}.proto" for name in NAMES]
    options = [f"-I{ROOT}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(["protoc", *options, *files]) != 0:
        sys.exit("protos.py: protoc failed, see above")


def _load() -> None:
    out = tempfile.mkdtemp(prefix="transom-protos-")
    try:
        _generate(out)
        sys.path.insert(0, out)
        for name in NAMES:
            for suffix in ("pb2", "pb2_grpc"):
                module = importlib.import_module(f"transom.demo.v1.{name}_{suffix}")
                # `import` is no name that Python takes.
                globals()[f"{name}_{suffix}".replace("import_", "import_books_")] = module
    finally:
        if out in sys.path:
            sys.path.remove(out)
        shutil.rmtree(out)


_load()
