"""A grpcio client that calls the sample services in all four ways and checks what comes back.

`target/python/bin/python tests/python/client.py PORT` talks native gRPC to 127.0.0.1:PORT: to a gateway, or to
a server itself. Any implementation of the sample protos passes; the data that it needs it makes itself.
It prints a line for each check and `N passed, N failed` at the end; the exit code is 0 when all passed.
"""

import queue
import sys
import traceback
import zlib

import grpc
from google.api import httpbody_pb2
from google.protobuf import duration_pb2, field_mask_pb2, wrappers_pb2
from google.rpc import status_pb2

import protos
from protos import bookshop_pb2 as shop

# Generous: it only ends a call that hangs.
PATIENCE = 30


class Client:
    def __init__(self, channel):
        self.channel = channel
        self.shop = protos.bookshop_pb2_grpc.BookshopStub(channel)
        self.ticker = protos.ticker_pb2_grpc.TickerStub(channel)
        self.chat = protos.chat_pb2_grpc.ChatStub(channel)
        self.imports = protos.import_books_pb2_grpc.ImportStub(channel)
        self.files = protos.files_pb2_grpc.FilesStub(channel)
        self.failures = protos.failures_pb2_grpc.FailuresStub(channel)

    def shelf(self):
        request = shop.CreateShelfRequest(shelf=shop.Shelf(theme="Tests"))
        return self.shop.CreateShelf(request, timeout=PATIENCE).name


def same(left, right):
    if left != right:
        raise AssertionError(f"{left!r} is not {right!r}")


def error(call):
    """The error that `call` ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def details(error):
    """The google.rpc.Status in the trailers of an error."""
    trailers = dict(error.trailing_metadata())
    return status_pb2.Status.FromString(trailers["grpc-status-details-bin"])


def unary(client):
    """A book is created, read, changed, listed, lent, brought back and deleted."""
    parent = client.shelf()
    book = shop.Book(title="Emma", genre=shop.GENRE_CLASSIC, isbn=wrappers_pb2.StringValue(value="9780141439587"))
    created = client.shop.CreateBook(shop.CreateBookRequest(parent=parent, book=book), timeout=PATIENCE)
    same((created.title, created.isbn.value, created.name.startswith(f"{parent}/books/")), ("Emma", "9780141439587", True))
    name = created.name
    change = shop.UpdateBookRequest(
        book=shop.Book(name=name, pages=474, title="Not this"), update_mask=field_mask_pb2.FieldMask(paths=["pages"])
    )
    updated = client.shop.UpdateBook(change, timeout=PATIENCE)
    same((updated.title, updated.pages), ("Emma", 474))
    same(client.shop.GetBook(shop.GetBookRequest(name=name), timeout=PATIENCE), updated)
    page = client.shop.ListBooks(shop.ListBooksRequest(parent=parent), timeout=PATIENCE)
    same((list(page.books), page.total_size, page.next_page_token), ([updated], 1, ""))
    borrow = shop.BorrowBookRequest(name=name, reader="Ada")
    same(client.shop.BorrowBook(borrow, timeout=PATIENCE).loan.reader, "Ada")
    lent = error(lambda: client.shop.BorrowBook(borrow, timeout=PATIENCE))
    same(lent.code(), grpc.StatusCode.FAILED_PRECONDITION)
    client.shop.ReturnBook(shop.ReturnBookRequest(name=name), timeout=PATIENCE)
    client.shop.DeleteBook(shop.DeleteBookRequest(name=name), timeout=PATIENCE)
    gone = error(lambda: client.shop.GetBook(shop.GetBookRequest(name=name), timeout=PATIENCE))
    same(gone.code(), grpc.StatusCode.NOT_FOUND)
    client.shop.DeleteShelf(shop.DeleteShelfRequest(name=parent), timeout=PATIENCE)


def server_streaming(client):
    """A stream comes whole, resumes after a cursor, and fails where it was told to."""
    quick = duration_pb2.Duration()
    request = protos.ticker_pb2.WatchRequest(count=20, interval=quick)
    same([sale.cursor for sale in client.ticker.Watch(request, timeout=PATIENCE)], list(range(1, 21)))
    request.after = 17
    same([sale.cursor for sale in client.ticker.Watch(request, timeout=PATIENCE)], [18, 19, 20])

    request = protos.ticker_pb2.WatchRequest(count=20, interval=quick, fail_after=3, fail_code=10)
    seen = []
    aborted = error(lambda: seen.extend(sale.cursor for sale in client.ticker.Watch(request, timeout=PATIENCE)))
    same((seen, aborted.code()), ([1, 2, 3], grpc.StatusCode.ABORTED))


def client_streaming(client):
    """A stream of books is summed up; an empty one is as well."""
    parent = client.shelf()

    def requests():
        for index in range(50):
            title = "" if index == 7 else f"Volume {index}"
            yield protos.import_books_pb2.ImportBooksRequest(parent=parent, book=shop.Book(title=title))

    summary = client.imports.ImportBooks(requests(), timeout=PATIENCE)
    same((summary.received, summary.imported, len(summary.names)), (50, 49, 49))
    same([refusal.index for refusal in summary.refusals], [7])
    same(client.imports.ImportBooks(iter(()), timeout=PATIENCE).received, 0)
    client.shop.DeleteShelf(shop.DeleteShelfRequest(name=parent, force=True), timeout=PATIENCE)


def bidirectional(client):
    """Messages and answers take turns; the end of one side is answered on the other."""
    say = queue.SimpleQueue()
    answers = client.chat.Talk(iter(say.get, None), timeout=PATIENCE)
    for number in range(1, 6):
        say.put(protos.chat_pb2.TalkRequest(visitor="Ada", text=f"question {number}"))
        answer = next(answers)
        same((answer.number, answer.in_reply_to, answer.goodbye), (number, f"question {number}", False))
    say.put(None)
    same([(answer.number, answer.goodbye) for answer in answers], [(6, True)])

    say.put(protos.chat_pb2.TalkRequest(fail_code=8))
    failed = error(lambda: list(client.chat.Talk(iter(say.get, None), timeout=PATIENCE)))
    same(failed.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
    say.put(None)


def bytes_in_bulk(client):
    """Two megabytes come down and go up as they are."""
    size = 2_000_000
    request = protos.files_pb2.DownloadRequest(size=size, content_type="text/plain")
    bodies = list(client.files.Download(request, timeout=PATIENCE))
    data = b"".join(body.data for body in bodies)
    same((len(data), data[:3], bodies[0].content_type), (size, bytes((0, 31, 62)), "text/plain"))
    summary = client.files.Upload(iter(bodies), timeout=PATIENCE)
    same((summary.size, summary.messages, summary.crc32), (size, len(bodies), zlib.crc32(data)))
    image = httpbody_pb2.HttpBody(content_type="image/gif", data=b"GIF89a")
    same(client.shop.InspectCover(image, timeout=PATIENCE).format, "image/gif")


def rich_errors(client):
    """A status keeps its code, its message and its details, one of an unknown type among them."""
    request = protos.failures_pb2.FailRequest(code=9, message="naïve & 100 % wrong")
    failed = error(lambda: client.failures.Fail(request, timeout=PATIENCE))
    same((failed.code(), failed.details()), (grpc.StatusCode.FAILED_PRECONDITION, request.message))
    status = details(failed)
    same((status.code, status.message), (9, request.message))
    names = [detail.type_url.rpartition("/")[2] for detail in status.details]
    same(names, ["google.rpc.BadRequest", "google.rpc.RetryInfo", "transom.demo.private.Incident"])


def deadlines_and_cancellation(client):
    """A call that takes too long ends by its deadline, and one that is cancelled ends."""
    slow = protos.ticker_pb2.WatchRequest(interval=duration_pb2.Duration(seconds=20))
    late = error(lambda: next(client.ticker.Watch(slow, timeout=0.3)))
    same(late.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    call = client.ticker.Watch(protos.ticker_pb2.WatchRequest(interval=duration_pb2.Duration(nanos=1_000_000)))
    same(next(call).cursor, 1)
    call.cancel()
    same(error(lambda: list(call)).code(), grpc.StatusCode.CANCELLED)


def unknown_methods(client):
    """A method that does not exist is UNIMPLEMENTED."""
    missing = client.channel.unary_unary("/transom.demo.v1.Bookshop/Burn")
    same(error(lambda: missing(b"", timeout=PATIENCE)).code(), grpc.StatusCode.UNIMPLEMENTED)


CHECKS = (
    unary,
    server_streaming,
    client_streaming,
    bidirectional,
    bytes_in_bulk,
    rich_errors,
    deadlines_and_cancellation,
    unknown_methods,
)


def main(port):
    failed = 0
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        client = Client(channel)
        for check in CHECKS:
            try:
                check(client)
                print(f"ok      {check.__name__}", flush=True)
            except Exception:
                failed += 1
                print(f"FAILED  {check.__name__}: {check.__doc__}\n{traceback.format_exc()}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("usage: client.py PORT")
    sys.exit(main(int(sys.argv[1])))
