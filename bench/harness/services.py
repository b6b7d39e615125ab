"""Prints the services of a descriptor set, a line each: `services.py DESCRIPTORS`; run where protobuf is installed."""

import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

files = FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes()).file
for file in files:
    for service in file.service:
        print(f"{file.package}.{service.name}" if file.package else service.name)
