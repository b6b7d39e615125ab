"""The suite's own protos: compiled to a descriptor set for gateways, and to message classes for the runner."""

import json
import sys
import tempfile
from importlib import resources
from pathlib import Path

import google.api
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, text_format
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent.parent / "proto"
PACKAGE = "transcoding.v1"


def compile_descriptor_set() -> bytes:
    """The serialized FileDescriptorSet of the suite's protos, imports included."""
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    google_api = Path(google.api.__path__[0]).parents[1]
    with tempfile.NamedTemporaryFile() as out:
        includes = [f"-I{PROTOS}", f"-I{google_api}", f"-I{well_known}"]
        options = ["--include_imports", f"--descriptor_set_out={out.name}"]
        if protoc.main(["protoc", *includes, *options, *files]) != 0:
            sys.exit("the suite's protos do not compile, see above")
        return Path(out.name).read_bytes()


class Schema:
    """Message types and methods by name, read from the descriptor set and from nowhere else."""

    def __init__(self, descriptor_set: bytes):
        self.descriptor_set = descriptor_set
        self.pool = descriptor_pool.DescriptorPool()
        self.methods = {}
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file
        for file in files:
            self.pool.Add(file)
        for file in files:
            for service in self.pool.FindFileByName(file.name).services_by_name.values():
                for method in service.methods:
                    self.methods[f"/{service.full_name}/{method.name}"] = method

    def method(self, short: str):
        """The method that a case calls `Service.Method`."""
        service, _, method = short.rpartition(".")
        return self.methods[f"/{PACKAGE}.{service}/{method}"]

    def services(self) -> list[str]:
        """The full names of the suite's services."""
        names = {method.containing_service.full_name for method in self.methods.values()}
        return sorted(name for name in names if name.startswith(PACKAGE))

    def parse_json(self, descriptor, text: str):
        """A message from ProtoJSON, by protobuf's own implementation for Python."""
        message = message_factory.GetMessageClass(descriptor)()
        return json_format.ParseDict(json.loads(text, parse_int=_number), message, descriptor_pool=self.pool)

    def parse_wire(self, descriptor, wire: bytes):
        return message_factory.GetMessageClass(descriptor).FromString(wire)

    def text(self, message) -> str:
        """A message as text: what two messages are compared by, so that NaN is NaN and -0 is not 0."""
        return text_format.MessageToString(
            message, as_one_line=True, as_utf8=True, descriptor_pool=self.pool, print_unknown_fields=True
        ).strip()


def _number(text: str):
    """Python's integers have no -0, which JSON has."""
    return -0.0 if text == "-0" else int(text)
