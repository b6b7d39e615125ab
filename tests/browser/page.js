// What the page does: sockets, event sources and streaming fetches, each told as plain data.
// What has to come of it stands in checks.py.

// Generous: it only ends what hangs.
const PATIENCE = 30_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `done()`; what never comes is an error that says `what`. */
async function until(done, what) {
  const end = performance.now() + PATIENCE;
  while (!done()) {
    if (performance.now() > end) throw new Error(`${what} does not come`);
    await sleep(5);
  }
}

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const unbase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

const socketUrl = (path) => location.origin.replace(/^http/, 'ws') + path;

/**
 * One socket from its opening to its close. `frames` are sent as they stand, `{binary: BASE64}` as bytes;
 * `{await: n}` waits until n frames have come, `{close: [code, reason]}` closes.
 */
async function socket(url, protocols, frames) {
  const told = { opened: false, protocol: null, frames: [], code: null, reason: null, clean: null };
  const ws = new WebSocket(url.startsWith('/') ? socketUrl(url) : url, protocols);
  ws.binaryType = 'arraybuffer';
  ws.onopen = () => { told.opened = true; told.protocol = ws.protocol; };
  ws.onmessage = ({ data }) => told.frames.push(typeof data === 'string' ? data : { binary: base64(data) });
  ws.onclose = ({ code, reason, wasClean }) => Object.assign(told, { code, reason, clean: wasClean });
  await until(() => told.opened || told.code !== null, 'an open socket');
  for (const frame of told.code === null ? frames : []) {
    if (frame.await !== undefined) {
      await until(() => told.frames.length >= frame.await || told.code !== null, `frame ${frame.await}`);
    } else if (frame.close) {
      ws.close(...frame.close);
    } else {
      ws.send(frame.binary === undefined ? frame : unbase64(frame.binary));
    }
  }
  await until(() => told.code !== null, 'the close');
  return told;
}

/** Sockets and event sources that outlive a call, by name. */
const open = {};

/** Opens a socket and leaves it open. */
async function hold(name, url, protocols) {
  const told = { frames: 0, code: null };
  const ws = new WebSocket(socketUrl(url), protocols);
  ws.onmessage = () => { told.frames += 1; };
  ws.onclose = ({ code }) => { told.code = code; };
  open[name] = told;
  await until(() => told.frames > 0 || told.code !== null, 'a first frame');
  return told;
}

/** Waits until the socket of this name is closed. */
async function held(name) {
  await until(() => open[name].code !== null, 'the close');
  return open[name];
}

/** Does what a reader does who pastes a text: what it logs, up to a line. */
async function paste(text, last) {
  const { log } = console;
  const lines = [];
  console.log = (line) => lines.push(line);
  try {
    // Indirect: it sees what a page sees, and none of this.
    (0, eval)(text);
    await until(() => lines.includes(last), last);
  } finally {
    console.log = log;
  }
  return lines;
}

/** Listens to an event source; everything that it raises is noted in order. */
function listen(name, url, ...names) {
  const source = new EventSource(url);
  const told = { source, events: [] };
  const note = (event) => told.events.push({
    type: event.type,
    data: event.data,
    id: event.lastEventId,
    state: source.readyState,
  });
  for (const type of ['open', 'message', 'error', ...names]) source.addEventListener(type, note);
  open[name] = told;
}

/** Waits until an event source has raised so many events of a type, and returns all. */
async function heard(name, type, count) {
  const { source, events } = open[name];
  const all = () => events.filter((event) => event.type === type).length;
  await until(() => all() >= count, `${type} ${count} of ${name}, after ${JSON.stringify(events)},`);
  return { state: source.readyState, events };
}

/** Waits until an event source has stopped for good, and returns all that it raised. */
async function stopped(name) {
  const { source, events } = open[name];
  await until(() => source.readyState === EventSource.CLOSED, `the end of ${name}`);
  return { state: source.readyState, events };
}

function silence(name) {
  open[name].source.close();
}

/** Fetches a body piece by piece, and aborts behind `abortAfter` pieces. */
async function pieces(url, options = {}, abortAfter = Infinity) {
  const abort = new AbortController();
  const answer = await fetch(url, { ...options, signal: abort.signal });
  const told = { status: answer.status, type: answer.headers.get('content-type'), pieces: [], failed: null };
  const decoder = new TextDecoder();
  try {
    for await (const piece of answer.body) {
      told.pieces.push(decoder.decode(piece, { stream: true }));
      if (told.pieces.length >= abortAfter) abort.abort();
    }
  } catch (error) {
    told.failed = error.name;
  }
  return told;
}

/**
 * Uploads lines as a stream, each when the one before has been taken. With `open` the body does not end: the fetch is
 * aborted a moment behind the last line.
 */
async function upload(url, headers, lines, open = false) {
  const abort = new AbortController();
  const told = { status: null, text: null, failed: null };
  const left = lines.map((line) => new TextEncoder().encode(`${line}\n`));
  const body = new ReadableStream({
    async pull(controller) {
      if (left.length > 0) return controller.enqueue(left.shift());
      if (!open) return controller.close();
      await sleep(1000);
      abort.abort();
    },
  }, { highWaterMark: 0 });
  try {
    const answer = await fetch(url, { method: 'POST', headers, body, duplex: 'half', signal: abort.signal });
    told.status = answer.status;
    told.text = await answer.text();
  } catch (error) {
    told.failed = error.name;
  }
  return told;
}

/** Sets a cookie of this origin; an empty one is forgotten. */
function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; secure${value ? '' : '; max-age=0'}`;
}

/** The protocol that the browser used for a resource of this page: `h2` or `http/1.1`. */
function spokenFor(path) {
  const entries = performance.getEntriesByType('resource').filter(({ name }) => name.includes(path));
  return entries.length ? entries[entries.length - 1].nextHopProtocol : null;
}

/** The protocol that the browser used for the page. */
function spoken() {
  return performance.getEntriesByType('navigation')[0].nextHopProtocol;
}
