import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  Agent,
  get,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { answerTo, ask, exchange } from "./backend.fake.ts";
import { testbed } from "./testbed.fake.ts";

const bed = testbed();

function answering(act: (response: ServerResponse, request: IncomingMessage) => void): RequestListener {
  return (request, response) => {
    response.sendDate = false;
    act(response, request);
  };
}

const getText = "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n";

describe("an answer through the mirror", () => {
  it.each<[string, string, RequestListener]>([
    [
      "text of a known length",
      getText,
      answering((response) => response.writeHead(200, { "Content-Length": 5 }).end("hello")),
    ],
    [
      "chunks",
      getText,
      answering((response) => response.writeHead(200, { "transfer-encoding": "chunked" }).end("hello")),
    ],
    ["nothing", getText, answering((response) => response.writeHead(204).end())],
    [
      "not modified",
      getText,
      answering((response) => response.writeHead(304, { etag: '"a"', "content-length": 9 }).end()),
    ],
    ["a status with words of its own", getText, answering((response) => response.writeHead(299, "Very Fine").end("a"))],
    ["an error", getText, answering((response) => response.writeHead(503, { "retry-after": "1" }).end("no"))],
    [
      "a redirection",
      getText,
      answering((response) => response.writeHead(302, { Location: "http://shop.example/b" }).end()),
    ],
    [
      "several cookies, and fields in odd spelling and order",
      getText,
      answering((response) =>
        response
          .writeHead(200, [
            "Set-Cookie",
            "a=1",
            "X-oDD",
            "1",
            "set-cookie",
            "b=2; Path=/",
            "x-odd",
            "2",
            "Content-Length",
            "0",
          ])
          .end(),
      ),
    ],
    [
      "a date",
      getText,
      answering((response) => response.writeHead(200, { date: "Mon, 01 Jan 2024 00:00:00 GMT" }).end()),
    ],
    [
      "bytes beyond ASCII in a field",
      getText,
      answering((response) => response.writeHead(200, { "x-name": "\u00e9\u00ff" }).end()),
    ],
    [
      "the end of the connection",
      getText,
      answering((response) => response.writeHead(200, { connection: "close" }).end("a")),
    ],
    [
      "trailers",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n\r\n",
      answering((response) => {
        response.writeHead(200, { Trailer: "X-Sum, X-End", "Transfer-Encoding": "chunked" });
        response.write("hello");
        response.addTrailers([
          ["X-Sum", "1"],
          ["X-End", "2"],
        ]);
        response.end();
      }),
    ],
    [
      "gzip",
      getText,
      answering((response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("hello"))),
    ],
    [
      "the head only",
      getText.replace("GET", "HEAD"),
      answering((response) => response.writeHead(200, { "content-length": 5 }).end()),
    ],
    [
      "the head of chunks",
      getText.replace("GET", "HEAD"),
      answering((response) => response.writeHead(200, { "transfer-encoding": "chunked" }).end()),
    ],
    [
      "what a server can do",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      answering((response, { url }) => response.end(url)),
    ],
    [
      "HTTP/1.0",
      "GET / HTTP/1.0\r\n\r\n",
      answering((response) => response.writeHead(200, { "content-length": 1 }).end("a")),
    ],
    [
      "HTTP/1.0 that keeps the connection",
      "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      answering((response) => response.writeHead(200, { "content-length": 1 }).end("a")),
    ],
    [
      "a client that closes",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      answering((response) => response.writeHead(200, { "content-length": 1 }).end("a")),
    ],
    [
      "two requests sent at once",
      getText + getText.replace("/a", "/b"),
      answering((response, { url }) => response.end(url)),
    ],
    [
      "a body that is sent when it is asked for",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
      answering((response, request) => request.pipe(response)),
    ],
    [
      "early hints",
      getText,
      answering((response) => {
        response.writeProcessing();
        response.writeEarlyHints({ link: "</a.css>; rel=preload; as=style" });
        response.end("a");
      }),
    ],
  ])("is the same, byte by byte: %s", async (_what, sent, listener) => {
    const primary = await bed.http(listener);
    const mirror = await bed.mirror(primary);

    const [direct, mirrored] = await Promise.all([exchange(primary.port, sent), exchange(mirror.port, sent)]);
    expect(direct).toMatch(/^HTTP\/1\.1 \d/);
    expect(mirrored).toBe(direct);
  });

  it.each<[string, string]>([
    ["a body that ends with the connection", "HTTP/1.0 200 OK\r\nContent-Type: a\r\n\r\nhello"],
    ["a body that ends with the connection, of HTTP/1.1", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"],
  ])("has the same content: %s", async (_what, answer) => {
    const primary = await bed.sockets((socket) => {
      socket.once("data", () => socket.end(answer));
    });
    const mirror = await bed.mirror(primary);

    expect(await (await fetch(mirror.url)).text()).toBe("hello");
  });

  it("loses what belongs to the primary's connection only", async () => {
    const primary = await bed.http(
      answering((response) =>
        response
          .writeHead(200, ["Connection", "keep-alive, X-Hop", "X-Hop", "1", "Proxy-Connection", "a", "X-Kept", "1"])
          .end(),
      ),
    );
    const mirror = await bed.mirror(primary);

    const { headers } = await fetch(mirror.url);
    expect(headers.get("x-kept")).toBe("1");
    expect(headers.get("x-hop")).toBeNull();
    expect(headers.get("proxy-connection")).toBeNull();
  });
});

describe("a request through the mirror", () => {
  /** What a server receives, from the first byte on. */
  async function received(sent: string): Promise<{ readonly direct: string; readonly mirrored: string }> {
    const requests: string[] = [];
    const primary = await bed.sockets((socket) => {
      socket.on("data", (chunk) => requests.push(chunk.toString("latin1")));
    });
    const mirror = await bed.mirror(primary, { sharePercent: 0 });
    await exchange(primary.port, sent);
    const direct = requests.splice(0).join("");
    await exchange(mirror.port, sent);
    return { direct, mirrored: requests.join("") };
  }

  it.each([
    [
      "a query and odd spelling",
      "GET /a%20b?c=d&c=%C3%A9#x HTTP/1.1\r\nhOST: a\r\nX-Twice: 1\r\nCookie: a=1\r\nx-twice: 2\r\n",
    ],
    [
      "who the client says to be",
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nVia: 1.1 b\r\nAuthorization: c\r\n",
    ],
    ["a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"],
    ["a body in chunks", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"],
    ["a mark that somebody else has set", "GET / HTTP/1.1\r\nHost: a\r\nx-bascule-mirrored: 1\r\n"],
  ])("reaches the primary as it was sent, but for its connection: %s", async (what, head) => {
    const body = what === "a body" ? "hello" : what === "a body in chunks" ? "5\r\nhello\r\n0\r\n\r\n" : "";
    const { direct, mirrored } = await received(`${head}\r\n${body}`);

    expect(direct).toBe(`${head}\r\n${body}`);
    expect(mirrored.replace("Connection: keep-alive\r\n", "")).toBe(direct);
  });

  it("loses what belongs to the client's connection, and nothing that says where it ends", async () => {
    const { mirrored } = await received(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop, Content-Length, Host\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nTE: gzip\r\nContent-Length: 2\r\n\r\nok",
    );
    expect(mirrored).toBe("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
  });

  it("brings its trailers along, and the wish for some", async () => {
    const { mirrored } = await received(
      "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    expect(mirrored).toContain("TE: trailers\r\n");
    expect(mirrored).toMatch(/2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });

  it("of HTTP/1.0 gets the Host that HTTP/1.1 demands", async () => {
    expect((await received("GET / HTTP/1.0\r\n\r\n")).mirrored).toMatch(
      /^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/,
    );
  });

  it("may have a head longer than servers take by default", async () => {
    const primary = await bed.sockets((socket) => {
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        if (!text.endsWith("\r\n\r\n")) return;
        socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\ngot it");
      });
    });
    const mirror = await bed.mirror(primary);

    const answer = await fetch(mirror.url, { headers: { "x-long": "a".repeat(100_000) } });
    expect(await answer.text()).toBe("got it");
  });
});

describe("connections", () => {
  it("are kept, one to the primary for each of a client", async () => {
    const ports = new Set<number | undefined>();
    const primary = await bed.http((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    const mirror = await bed.mirror(primary, { sharePercent: 0 });
    const clients = [1, 2, 3].map(() => new Agent({ keepAlive: true, maxSockets: 1 }));

    for (let index = 0; index < 5; index++) for (const agent of clients) await ask(mirror.url, { agent });

    expect(ports.size).toBe(3);
    for (const agent of clients) agent.destroy();
  });

  it("that the primary has closed cost a request nothing, be it safe or not", async () => {
    const primary = await bed.http(
      (request, response) => request.resume().on("end", () => response.end("ok")),
      (server) => {
        server.keepAliveTimeout = 1;
        // Node closes a connection this much later than it says.
        Object.assign(server, { keepAliveTimeoutBuffer: 0 });
      },
    );
    const mirror = await bed.mirror(primary, { sharePercent: 0 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });

    for (let pause = 0; pause < 60; pause++) {
      for (const method of ["GET", "DELETE"]) expect(await ask(mirror.url, { agent, method })).toBe("200 ok");
      await sleep(pause / 10);
    }
    await sleep(1_100);
    expect(await ask(mirror.url, { agent, method: "POST" }, "body")).toBe("200 ok");
    agent.destroy();
  });

  it("that break on a kept one are made again, once, for requests that may be repeated", async () => {
    const seen: string[] = [];
    // Answers the first request of a connection, and breaks it at the second, as a server does that closes it just then.
    const primary = await bed.sockets((socket) => {
      let count = 0;
      socket.on("data", (chunk) => {
        seen.push(String(chunk.toString().split(" ")[0]));
        if (++count > 1) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
    const mirror = await bed.mirror(primary, { sharePercent: 0 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });

    expect(await ask(mirror.url, { agent })).toBe("200 ok");
    expect(await ask(mirror.url, { agent })).toBe("200 ok");
    expect(await ask(mirror.url, { agent, method: "POST" }, "a")).toBe("502 ");
    expect(seen).toEqual(["GET", "GET", "GET", "POST"]);
    agent.destroy();
  });

  it("that are idle for a second are not trusted with what cannot be repeated", async () => {
    // Breaks a connection at its second request.
    const primary = await bed.sockets((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        socket.once("data", () => socket.destroy());
      });
    });
    const mirror = await bed.mirror(primary, { sharePercent: 0 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });

    expect(await ask(mirror.url, { agent })).toBe("200 ok");
    await sleep(1_100);
    expect(await ask(mirror.url, { agent, method: "POST" }, "a")).toBe("200 ok");
    agent.destroy();
  });
});

describe("a primary that cannot be reached", () => {
  it("is 502 to the client, is counted, and the mirror goes on", async () => {
    const mirror = await bed.mirror(await bed.nobody(), {}, { untilReady: false });

    expect(await ask(mirror.url)).toBe("502 ");
    expect(await ask(mirror.url, { method: "POST" }, "body")).toBe("502 ");
    expect(await mirror.report()).toMatchObject({
      seen: 2,
      mirrored: 1,
      notCompared: 1,
      primaryFailed: 2,
      compared: 0,
    });
    expect(await mirror.readiness()).toBe(503);
  });

  it("breaks an answer that it broke off, so that the client does not take it for whole", async () => {
    const primary = await bed.sockets((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        setTimeout(() => socket.destroy(), 50);
      });
    });
    const mirror = await bed.mirror(primary);

    const answer = await fetch(mirror.url);
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
    await expect.poll(async () => (await mirror.report()).primaryFailed).toBe(1);
  });

  it("that answers nonsense is 502", async () => {
    const primary = await bed.sockets((socket) => {
      socket.once("data", () => socket.end("nonsense\r\n\r\n"));
    });
    const mirror = await bed.mirror(primary);
    expect(await ask(mirror.url)).toBe("502 ");
  });
});

describe("streams", () => {
  it("reach the client as they are made, the head at once", async () => {
    let stream: ServerResponse | undefined;
    const primary = await bed.http((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      stream = response;
    });
    const mirror = await bed.mirror(primary);

    const answer = await answerTo(get(mirror.url));
    expect(answer.headers["content-type"]).toBe("text/event-stream");
    let received = "";
    answer.on("data", (chunk: Buffer) => (received += chunk.toString()));
    for (const event of ["1", "2", "3"]) {
      stream?.write(event);
      await expect.poll(() => received.at(-1)).toBe(event);
    }
    answer.destroy();
  });

  it("of 64 MiB pass in both directions unchanged", async () => {
    const primary = await bed.http((request, response) => request.pipe(response));
    const mirror = await bed.mirror(primary, { unsafeMethods: ["POST"] });
    const chunk = Buffer.from(Array.from({ length: 65_536 }, (_byte, index) => index % 251));
    const sent = createHash("sha256");
    const got = createHash("sha256");

    const outgoing = httpRequest(mirror.url, { method: "POST" });
    const answered = answerTo(outgoing);
    void (async () => {
      for (let index = 0; index < 1_024; index++) {
        sent.update(chunk);
        if (!outgoing.write(chunk)) await once(outgoing, "drain");
      }
      outgoing.end();
    })();
    const response = await answered;
    response.on("data", (part: Uint8Array) => got.update(part));
    await once(response, "end");

    expect(got.digest("hex")).toBe(sent.digest("hex"));
    expect(await mirror.report()).toMatchObject({ mirrored: 1, notCompared: 1 });
  });
});
