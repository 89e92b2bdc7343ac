import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { array, constantFrom, nat, sample, tuple } from "fast-check";
import { expect, it } from "vitest";
import { testbed } from "./testbed.fake.ts";

const bed = testbed();
const count = 3_000;
const atOnce = 20;

const requests = [
  "GET /a?b HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
  "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
];
const answers = [
  'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/json\r\n\r\n{"a":1}',
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
  "HTTP/1.1 302 Found\r\nLocation: /a\r\nConnection: close\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nKeep-Alive: timeout=1\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
];
const fragments = [
  ...["\0", "\x01", "\x7f", "\xff", "\r", "\n", " ", ":", "0\r\n", "5\r\nhello\r\n", "X: 1\r\n\r\n", "%zz", '{"a"'],
  ...["Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\n", "Connection: close\r\n", "TE: trailers\r\n"],
];

/** Messages of which a few places were replaced by what does not belong there. */
function malformed(messages: readonly string[], seed: number): string[] {
  const change = tuple(nat(200), nat(10), constantFrom(...fragments));
  const changed = tuple(constantFrom(...messages), array(change, { maxLength: 3 }));
  return sample(changed, { numRuns: count, seed }).map(([message, changes]) =>
    changes.reduce((text, [place, dropped, fragment]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + fragment + text.slice(at + dropped);
    }, message),
  );
}

it("no request and no answer, however malformed, ends the mirror", async () => {
  const backend = async (seed: number) => {
    const texts = malformed(answers, seed);
    let next = 0;
    const answer = (socket: Socket) => {
      socket.write(texts[next++ % texts.length] ?? "", "latin1");
      if (next % 3 === 0) socket.end();
      if (next % 7 === 0) socket.destroy();
    };
    return await bed.sockets((socket) => socket.on("data", () => answer(socket)));
  };
  const [primary, shadow] = [await backend(1), await backend(2)];
  const mirror = await bed.mirror(primary, {
    shadow: shadow.url,
    unsafeMethods: ["POST", "PUT"],
    shadowTimeoutMs: 1_000,
  });

  const texts = malformed(requests, 3);
  const send = async (text: string) => {
    const client = connect(mirror.port, "127.0.0.1");
    client.on("error", () => {}).resume();
    client.write(text, "latin1");
    await sleep(30);
    client.destroy();
  };
  for (let index = 0; index < count; index += atOnce) await Promise.all(texts.slice(index, index + atOnce).map(send));

  const report = await mirror.report();
  expect(report.seen).toBeGreaterThan(0);
  expect(report.compared).toBeGreaterThan(0);
  expect(mirror.log()).not.toContain("failed");
  mirror.terminate();
  await expect.poll(() => mirror.readiness()).toBe(503);
}, 60_000);
