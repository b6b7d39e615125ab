"""The sample services once more, by grpcio: an upstream that shares no code with Transom.

The contract with whoever starts it (the integration tests do, as
`target/python/bin/python tests/python/server.py --port 0`):

* `--port 0` takes a free port of 127.0.0.1. Once the server accepts calls it prints one line to standard
  output, `listening on PORT`, and nothing else ever.
* `--compress` compresses every answer by gzip, for clients that accept it.
* `--reflection` lets it tell its schema by grpc.reflection.v1alpha.
* It ends on SIGTERM, on SIGINT and, with `--until-stdin-closes`, when its standard input does: whoever holds
  the other end of that pipe cannot leave it behind.
* State is in memory and starts the same every time: shelves 1 and 2 with two books each.

It implements proto/transom/demo/v1 briefly and on its own: where the protos leave a choice (texts, titles,
covers) it need not do what `transom demo` does.
"""

import argparse
import asyncio
import copy
import re
import signal
import sys
import zlib

import grpc
from google.api import httpbody_pb2
from google.protobuf import any_pb2, duration_pb2, empty_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

import protos
from protos import bookshop_pb2 as shop

BOOK = re.compile(r"(shelves/\d+)/books/\d+")
STATUS = {code.value[0]: code for code in grpc.StatusCode}
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"


def seed():
    """Themes by shelf, and books by name."""
    authors = {
        "shelves/1/books/1": ("Pride and Prejudice", "Jane", "Austen", 1813, shop.GENRE_CLASSIC),
        "shelves/1/books/2": ("Frankenstein", "Mary", "Shelley", 1818, shop.GENRE_CLASSIC),
        "shelves/2/books/1": ("The Left Hand of Darkness", "Ursula K.", "Le Guin", 1969, shop.GENRE_SCIENCE_FICTION),
        "shelves/2/books/2": ("Dune", "Frank", "Herbert", 1965, shop.GENRE_SCIENCE_FICTION),
    }
    books = {}
    for name, (title, given, family, year, genre) in authors.items():
        book = shop.Book(name=name, title=title, first_published=year, genre=genre, place="by the door")
        book.authors.add(given_name=given, family_name=family)
        book.labels["binding"] = "paperback"
        book.editions[year] = "first edition"
        book.added.FromSeconds(1_700_000_000)
        books[name] = book
    return {"shelves/1": "Classics", "shelves/2": "Science fiction"}, books


async def fail(context, code, message, *details):
    """Aborts the call with a google.rpc.Status, as gRPC's error model has it."""
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        if isinstance(detail, any_pb2.Any):
            status.details.append(detail)
        else:
            status.details.add().Pack(detail)
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(STATUS[code], message, trailers)


async def invalid(context, field, description):
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
    bad_request = error_details_pb2.BadRequest(field_violations=[violation])
    await fail(context, code_pb2.INVALID_ARGUMENT, f"{field}: {description}", bad_request)


async def missing(context, kind, name):
    info = error_details_pb2.ResourceInfo(resource_type=f"transom.demo.v1.{kind}", resource_name=name)
    await fail(context, code_pb2.NOT_FOUND, f"there is no {name}", info)


class Bookshop(protos.bookshop_pb2_grpc.BookshopServicer):
    def __init__(self):
        self.themes, self.books = seed()
        self.covers = {}
        self.last = 100

    def number(self):
        self.last += 1
        return self.last

    def shelf(self, name):
        count = sum(BOOK.fullmatch(book)[1] == name for book in self.books)
        return shop.Shelf(name=name, theme=self.themes[name], book_count=count)

    async def book(self, context, name):
        if name not in self.books:
            await missing(context, "Book", name)
        return self.books[name]

    async def add(self, context, parent, book):
        if parent not in self.themes:
            await missing(context, "Shelf", parent)
        if not book.title:
            await invalid(context, "book.title", "a book needs a title")
        book = copy.deepcopy(book)
        book.name = f"{parent}/books/{self.number()}"
        book.added.GetCurrentTime()
        self.books[book.name] = book
        return book

    async def ListShelves(self, request, context):
        return shop.ListShelvesResponse(shelves=map(self.shelf, self.themes))

    async def GetShelf(self, request, context):
        if request.name not in self.themes:
            await missing(context, "Shelf", request.name)
        return self.shelf(request.name)

    async def CreateShelf(self, request, context):
        name = f"shelves/{self.number()}"
        self.themes[name] = request.shelf.theme
        return self.shelf(name)

    async def DeleteShelf(self, request, context):
        books = [name for name in self.books if BOOK.fullmatch(name)[1] == request.name]
        if books and not request.force:
            await fail(context, code_pb2.FAILED_PRECONDITION, "there are books on the shelf")
        if self.themes.pop(request.name, None) is None:
            await missing(context, "Shelf", request.name)
        for name in books:
            del self.books[name]
        return empty_pb2.Empty()

    async def ListBooks(self, request, context):
        def wanted(book):
            years = request.published
            return (
                (not request.parent or book.name.startswith(request.parent + "/"))
                and (not request.genre or book.genre == request.genre)
                and (not years.to or book.first_published <= years.to)
                and book.first_published >= getattr(years, "from")
                and (not request.author or request.author.lower() in {a.family_name.lower() for a in book.authors})
                and (not request.HasField("available") or request.available != book.HasField("loan"))
            )

        found = [book for book in self.books.values() if wanted(book)]
        start = int(request.page_token or 0)
        end = start + (request.page_size or 10)
        token = str(end) if end < len(found) else ""
        return shop.ListBooksResponse(books=found[start:end], next_page_token=token, total_size=len(found))

    async def GetBook(self, request, context):
        if request.WhichOneof("key") == "isbn":
            found = [book for book in self.books.values() if book.isbn.value == request.isbn.replace("-", "")]
            return found[0] if found else await missing(context, "Book", f"isbn/{request.isbn}")
        return await self.book(context, request.name)

    async def CreateBook(self, request, context):
        return await self.add(context, request.parent, request.book)

    async def UpdateBook(self, request, context):
        book = await self.book(context, request.book.name)
        if request.update_mask.paths:
            try:
                request.update_mask.MergeMessage(request.book, book, True, True)
            except ValueError as error:
                await invalid(context, "update_mask", str(error))
        else:
            for field, value in request.book.ListFields():
                book.ClearField(field.name)
                book.MergeFrom(shop.Book(**{field.name: value}))
        return book

    async def DeleteBook(self, request, context):
        await self.book(context, request.name)
        del self.books[request.name]
        return empty_pb2.Empty()

    async def BorrowBook(self, request, context):
        book = await self.book(context, request.name)
        if not request.reader:
            await invalid(context, "reader", "is missing")
        if book.HasField("loan"):
            await fail(context, code_pb2.FAILED_PRECONDITION, "the book is with a reader already")
        book.loan.reader = request.reader
        book.loan.due.GetCurrentTime()
        book.loan.due.seconds += request.loan_period.seconds or 28 * 24 * 60 * 60
        return book

    async def ReturnBook(self, request, context):
        book = await self.book(context, request.name)
        if not book.HasField("loan"):
            await fail(context, code_pb2.FAILED_PRECONDITION, "the book is not with a reader")
        book.place = "the trolley of returns"
        return book

    async def GetCover(self, request, context):
        await self.book(context, request.name)
        plain = httpbody_pb2.HttpBody(content_type="image/gif", data=GIF)
        return self.covers.get(request.name, plain)

    async def SetCover(self, request, context):
        await self.book(context, request.name)
        self.covers[request.name] = request.cover
        return await self.InspectCover(request.cover, context)

    async def InspectCover(self, request, context):
        known = {b"GIF8": "image/gif", b"\x89PNG": "image/png"}
        format = known.get(request.data[:4], "")
        return shop.CoverInfo(content_type=request.content_type, size=len(request.data), format=format)


class Ticker(protos.ticker_pb2_grpc.TickerServicer):
    async def Watch(self, request, context):
        # A failure that the stream was resumed at has been seen.
        failure = request.fail_after if request.HasField("fail_after") else -1
        if 0 < failure <= request.after:
            failure = -1
        pause = request.interval.ToTimedelta().total_seconds() if request.HasField("interval") else 1
        cursor = request.after
        while True:
            if cursor == failure:
                await fail(context, request.fail_code or code_pb2.UNAVAILABLE, f"the till jammed after sale {cursor}")
            if request.count and cursor >= request.count:
                return
            await asyncio.sleep(pause)
            cursor += 1
            sale = protos.ticker_pb2.Sale(cursor=cursor, title="Dune", copies=1)
            sale.time.GetCurrentTime()
            yield sale


class Chat(protos.chat_pb2_grpc.ChatServicer):
    async def Talk(self, requests, context):
        number = 0
        async for request in requests:
            if request.fail_code:
                await fail(context, request.fail_code, "the bookseller left")
            number += 1
            text = f"You said: {request.text}"
            yield protos.chat_pb2.TalkResponse(number=number, text=text, in_reply_to=request.text)
        yield protos.chat_pb2.TalkResponse(number=number + 1, text="Goodbye.", goodbye=True)


class Import(protos.import_books_pb2_grpc.ImportServicer):
    def __init__(self, bookshop):
        self.bookshop = bookshop

    async def ImportBooks(self, requests, context):
        summary = protos.import_books_pb2.ImportSummary()
        parent, validate_only = "", None
        async for request in requests:
            parent = request.parent or parent
            validate_only = request.validate_only if validate_only is None else validate_only
            if parent not in self.bookshop.themes or not request.book.title:
                reason = "a book needs a title" if parent in self.bookshop.themes else f"there is no {parent}"
                summary.refusals.add(index=summary.received, reason=reason)
            else:
                summary.imported += 1
                if not validate_only:
                    summary.names.append((await self.bookshop.add(context, parent, request.book)).name)
            summary.received += 1
        return summary


class Files(protos.files_pb2_grpc.FilesServicer):
    async def Download(self, request, context):
        piece = bytes(n * 31 % 256 for n in range(64 * 1024))
        content_type = request.content_type or "application/octet-stream"
        left = request.size
        while left or content_type:
            data = piece[:left]
            yield httpbody_pb2.HttpBody(content_type=content_type, data=data)
            left -= len(data)
            content_type = ""

    async def Upload(self, requests, context):
        summary = protos.files_pb2.UploadSummary()
        async for body in requests:
            if not summary.messages:
                summary.content_type = body.content_type
            summary.messages += 1
            summary.size += len(body.data)
            summary.crc32 = zlib.crc32(body.data, summary.crc32)
        return summary


class Failures(protos.failures_pb2_grpc.FailuresServicer):
    async def Fail(self, request, context):
        violation = error_details_pb2.BadRequest.FieldViolation(field="book.title", description="a book needs a title")
        details = (
            error_details_pb2.BadRequest(field_violations=[violation]),
            error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500_000_000)),
            any_pb2.Any(type_url="type.googleapis.com/transom.demo.private.Incident", value=b"\x0a\x03cat"),
        )
        code = request.code or code_pb2.INVALID_ARGUMENT
        await fail(context, code, request.message or "this method always fails", *details)


def register(server):
    bookshop = Bookshop()
    protos.bookshop_pb2_grpc.add_BookshopServicer_to_server(bookshop, server)
    protos.ticker_pb2_grpc.add_TickerServicer_to_server(Ticker(), server)
    protos.chat_pb2_grpc.add_ChatServicer_to_server(Chat(), server)
    protos.import_books_pb2_grpc.add_ImportServicer_to_server(Import(bookshop), server)
    protos.files_pb2_grpc.add_FilesServicer_to_server(Files(), server)
    protos.failures_pb2_grpc.add_FailuresServicer_to_server(Failures(), server)


async def stdin_closed():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def reflect(server):
    from grpc_reflection.v1alpha import reflection

    modules = (shop, protos.ticker_pb2, protos.chat_pb2, protos.import_books_pb2, protos.files_pb2, protos.failures_pb2)
    names = [service.full_name for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)


async def serve(port, reflection, compress, until_stdin_closes):
    compression = grpc.Compression.Gzip if compress else None
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)], compression=compression)
    register(server)
    if reflection:
        reflect(server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"listening on {port}", flush=True)

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    waits = [asyncio.create_task(ended.wait())]
    if until_stdin_closes:
        waits.append(asyncio.create_task(stdin_closed()))
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    await server.stop(grace=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reflection", action="store_true")
    parser.add_argument("--compress", action="store_true")
    parser.add_argument("--until-stdin-closes", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.reflection, arguments.compress, arguments.until_stdin_closes))
