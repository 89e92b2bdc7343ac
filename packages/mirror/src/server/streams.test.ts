import { once } from "node:events";
import { Agent, get, request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { answerTo, ask, exchange } from "./backend.fake.ts";
import { testbed } from "./testbed.fake.ts";

const bed = testbed();
const block = Buffer.alloc(65_536);
const mebibyte = 1024 * 1024;

/** What the buffers of the machine between two processes may hold, generously. */
const buffersBytes = 32 * mebibyte;

describe("back pressure", () => {
  it("holds a primary up whose answer the client does not read", async () => {
    let written = 0;
    const primary = await bed.http((_request, response) => {
      const write = () => {
        while (response.writable) {
          written += block.length;
          if (!response.write(block)) return;
        }
      };
      response.on("drain", write);
      write();
    });
    const mirror = await bed.mirror(primary);
    const answer = await answerTo(get(mirror.url));

    let before = -1;
    while (before !== written) {
      before = written;
      await sleep(300);
    }
    expect(written).toBeLessThan(buffersBytes);
    expect(written).toBeGreaterThan(0);
    answer.destroy();
  });

  it("holds a client up whose request the primary does not read", async () => {
    const primary = await bed.sockets((socket) => socket.pause());
    const mirror = await bed.mirror(primary, { unsafeMethods: ["POST"] });
    const outgoing = httpRequest(mirror.url, { method: "POST" });
    outgoing.on("error", () => {});
    let written = 0;
    const write = () => {
      do written += block.length;
      while (outgoing.write(block));
    };
    outgoing.on("drain", write);
    write();

    let before = -1;
    while (before !== written) {
      before = written;
      await sleep(300);
    }
    expect(written).toBeLessThan(buffersBytes);
    outgoing.destroy();
  });
});

describe("a client that goes away", () => {
  it.each(["before the answer", "in the midst of the answer"])("is told to the primary: %s", async (when) => {
    let hasGone = false;
    const primary = await bed.http((_request, response) => {
      response.on("close", () => (hasGone = !response.writableFinished));
      if (when !== "before the answer") response.write("a");
    });
    const mirror = await bed.mirror(primary);

    await expect(exchange(mirror.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 100)).resolves.toBeTypeOf("string");
    await expect.poll(() => hasGone).toBe(true);
    expect(await mirror.report()).toMatchObject({ seen: 1, primaryFailed: 0, notCompared: 1 });
  });

  it("is told to the primary in the midst of its own request", async () => {
    let hasGone = false;
    const primary = await bed.http((request) => {
      request.on("error", () => (hasGone = true)).resume();
    });
    const mirror = await bed.mirror(primary);

    await exchange(mirror.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", 100);
    await expect.poll(() => hasGone).toBe(true);
    expect(await mirror.report()).toMatchObject({ seen: 1, primaryFailed: 0 });
  });

  it("leaves no connection behind", async () => {
    const open = new Set<Socket>();
    const primary = await bed.http(
      (_request, response) => response.end("ok"),
      (server) =>
        server.on("connection", (socket) => {
          open.add(socket);
          socket.on("close", () => open.delete(socket));
        }),
    );
    const mirror = await bed.mirror(primary, { sharePercent: 0 });
    const agent = new Agent({ keepAlive: true });

    await Promise.all(Array.from({ length: 20 }, () => ask(mirror.url, { agent })));
    expect(open.size).toBeGreaterThan(0);
    agent.destroy();
    await expect.poll(() => open.size).toBe(0);
  });
});

describe("a primary that answers before it has the whole request", () => {
  it("is heard, and the connection is not used again", async () => {
    const primary = await bed.http((_request, response) => {
      response.writeHead(413, { connection: "close", "content-length": 0 }).end();
    });
    const mirror = await bed.mirror(primary);
    const outgoing = httpRequest(mirror.url, { method: "POST", headers: { "content-length": 50 * mebibyte } });
    outgoing.on("error", () => {});
    outgoing.write(block);
    const answer = await answerTo(outgoing);

    expect(answer.statusCode).toBe(413);
    outgoing.destroy();
    expect(await ask(mirror.url)).toBe("413 ");
  });

  it("is heard when it does not want the body that the client offers", async () => {
    const primary = await bed.http(
      () => {},
      (server) =>
        server.on("checkContinue", (_request, response) => {
          response.writeHead(417, { "content-length": 0 }).end();
        }),
    );
    const mirror = await bed.mirror(primary);
    const answer = await exchange(
      mirror.port,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );

    expect(answer).toMatch(/^HTTP\/1\.1 417 /);
    expect(answer).toMatch(/connection: close/i);
  });
});

describe("an upgrade", () => {
  const upgrade =
    "GET /socket?a=b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: b\r\n\r\n";
  const accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

  it("is the primary's alone, and passes bytes in both directions", async () => {
    let head = "";
    let received = "";
    const shadowed: string[] = [];
    const primary = await bed.sockets((socket) => {
      socket.on("data", (chunk) => {
        if (received !== "") socket.write(`echo ${chunk.toString()}`);
        else head += chunk.toString("latin1");
        if (head.endsWith("early") && received === "") socket.write(`${accepted}first`);
      });
    });
    const shadow = await bed.http((request) => shadowed.push(request.url ?? ""));
    const mirror = await bed.mirror(primary, { shadow: shadow.url });
    const client = connect(mirror.port, "127.0.0.1");
    client.on("data", (chunk) => (received += chunk.toString()));

    client.write(`${upgrade}early`);
    await expect.poll(() => received).toBe(`${accepted}first`);
    client.write("second");
    await expect.poll(() => received).toBe(`${accepted}firstecho second`);
    expect(head).toBe(`${upgrade}early`);
    expect(shadowed).toEqual([]);
    expect(await mirror.report()).toMatchObject({ seen: 1, mirrored: 0 });
    client.destroy();
  });

  it.each(["client", "primary"])("ends for both when the %s ends it", async (who) => {
    const ended = new Set<string>();
    let ofPrimary: Socket | undefined;
    const primary = await bed.sockets((socket) => {
      ofPrimary = socket;
      // The mirror's first connection only asks whether there is a primary.
      socket.once("data", () => {
        socket.write(accepted);
        socket.on("close", () => ended.add("primary"));
      });
    });
    const mirror = await bed.mirror(primary);
    const client = connect(mirror.port, "127.0.0.1", () => client.write(upgrade));
    client.on("close", () => ended.add("client"));
    client.on("error", () => {});
    await once(client, "data");

    if (who === "client") client.destroy();
    else ofPrimary?.destroy();
    await expect.poll(() => [...ended].toSorted()).toEqual(["client", "primary"]);
  });

  it("that the primary refuses is refused with the primary's words", async () => {
    const refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    const primary = await bed.sockets((socket) => socket.once("data", () => socket.end(refused)));
    const mirror = await bed.mirror(primary);

    expect(await exchange(mirror.port, upgrade)).toBe(refused);
  });

  it("is 502 when the primary cannot be reached", async () => {
    const mirror = await bed.mirror(await bed.nobody(), {}, { untilReady: false });

    expect(await exchange(mirror.port, upgrade)).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(await mirror.report()).toMatchObject({ primaryFailed: 1 });
  });

  it.each(["GET", "POST"])("to HTTP/2, which a client offers with any request, is not taken up: %s", async (method) => {
    const primary = await bed.http((request, response) => {
      expect(request.headers.upgrade).toBeUndefined();
      request.pipe(response);
    });
    const shadow = await bed.http((request, response) => request.pipe(response));
    const mirror = await bed.mirror(primary, { shadow: shadow.url, unsafeMethods: ["POST"] });
    const head = `${method} / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`;
    const body = method === "GET" ? "\r\n" : "Content-Length: 5\r\n\r\nhello";
    const next = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    const answers = await exchange(mirror.port, head + body + next);
    expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    if (method === "POST") expect(answers).toContain("hello");
    await expect.poll(async () => (await mirror.report()).compared).toBe(2);
  });
});
