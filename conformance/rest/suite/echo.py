"""The upstream: it keeps what it received, and answers with the same or with what a case tells it to."""

from concurrent import futures

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

CODES = {code.value[0]: code for code in grpc.StatusCode}


class Echo(grpc.GenericRpcHandler):
    """Every method of the schema, of all four kinds, on bytes."""

    def __init__(self, schema):
        self.schema = schema
        self.received = []
        self.script = {}
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        self.server.add_generic_rpc_handlers((self,))

    def start(self, port: int) -> int:
        port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.server.start()
        return port

    def stop(self) -> None:
        self.server.stop(grace=None).wait()

    def expect(self, script: dict) -> None:
        """Forgets what was received, and answers the next call by `script`."""
        self.received = []
        self.script = script

    def service(self, call):
        method = self.schema.methods.get(call.method)
        if method is None:
            self.received.append((call.method, []))
            return None

        def unary(request, context):
            return next(self._answers(method, request, context))

        def stream(request, context):
            yield from self._answers(method, request, context)

        if method.client_streaming:
            if method.server_streaming:
                return grpc.stream_stream_rpc_method_handler(stream)
            return grpc.stream_unary_rpc_method_handler(unary)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)

    def _answers(self, method, request, context):
        # A stream that breaks off raises here, and counts as not received.
        messages = list(request) if method.client_streaming else [request]
        self.received.append((f"/{method.containing_service.full_name}/{method.name}", messages))
        if "fail" in self.script:
            _fail(context, **self.script["fail"])
        replies = self.script.get("replies")
        if replies is not None:
            for reply in replies:
                yield self.schema.parse_json(method.output_type, reply).SerializeToString()
        elif "reply_wire" in self.script:
            yield bytes.fromhex(self.script["reply_wire"])
        elif method.output_type is method.input_type:
            for message in messages:
                yield self._read(method, message, context)
        else:
            yield b""

    def _read(self, method, request, context) -> bytes:
        """What a service understood of a request: of a field that came twice, the last value."""
        try:
            return self.schema.parse_wire(method.input_type, request).SerializeToString()
        except DecodeError:
            context.abort(grpc.StatusCode.INTERNAL, "the request is no message of its type")


def _fail(context, code: int, message: str = "", details=(), raw_code: bool = False) -> None:
    """Ends a call with an error. `details` are pairs of a type URL and the value's bytes in hexadecimal."""
    packed = [any_pb2.Any(type_url=url, value=bytes.fromhex(value)) for url, value in details]
    if packed:
        status = status_pb2.Status(code=code, message=message, details=packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(CODES[code], message)
