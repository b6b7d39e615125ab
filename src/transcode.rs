//! ProtoJSON to protobuf and back, by compiled plans: bytes in, bytes out.
