// What page.js needs, from packages of Node instead of a browser: `ws` and `eventsource`.
//
// `node node.mjs FOLDER` evaluates one expression a line of standard input, and answers each with a line of
// JSON; FOLDER is where the packages are installed. `node.py` starts it.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';

const packages = createRequire(`${process.argv[2]}/`);
const { WebSocket } = packages('ws');
const { EventSource } = packages('eventsource');

/** A page is where it was loaded from; a socket says so, as a browser's does. */
globalThis.location = new URL('about:blank');
globalThis.document = { cookie: '' };
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    const [cookie] = document.cookie.split(';');
    const headers = cookie ? { cookie } : {};
    super(url, protocols, { origin: location.origin, headers, perMessageDeflate: false });
    // The refusal of a handshake; `close` follows with 1006, and that is all a page would see.
    this.on('error', () => {});
  }
};
globalThis.EventSource = class extends EventSource {
  constructor(url) {
    super(new URL(url, location));
  }
};
const { fetch } = globalThis;
globalThis.fetch = (url, options) => fetch(new URL(url, location), options);

runInThisContext(readFileSync(new URL('page.js', import.meta.url), 'utf8'));
// None of the packages speaks HTTP/2.
globalThis.spoken = globalThis.spokenFor = () => 'http/1.1';

for await (const expression of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { value: await runInThisContext(expression) };
  } catch (error) {
    answer = { error: `${error.stack}` };
  }
  console.log(JSON.stringify(answer));
}
