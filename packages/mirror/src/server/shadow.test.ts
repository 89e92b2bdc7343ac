import type { RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { MirrorReport } from "../report/report.ts";
import { ask, exchange, type Backend } from "./backend.fake.ts";
import { loadOf, percentile } from "./load.fake.ts";
import type { MirrorProcess } from "./process.fake.ts";
import { testbed } from "./testbed.fake.ts";

const bed = testbed();
const canary = "canary-7f3e9a51c2";

const json = (value: unknown): RequestListener => {
  return (request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    });
  };
};

/** A backend that remembers what it was asked. */
async function remembering(listener: RequestListener): Promise<Backend & { readonly asked: string[] }> {
  const asked: string[] = [];
  const backend = await bed.http((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    listener(request, response);
  });
  return { ...backend, asked };
}

/** The report when every copy has come to its end. */
async function settled(mirror: MirrorProcess): Promise<MirrorReport> {
  const isSettled = ({ mirrored, compared, notCompared, shadowFailed }: MirrorReport) =>
    mirrored === compared + notCompared + shadowFailed;
  await expect.poll(async () => isSettled(await mirror.report()), { timeout: 20_000 }).toBe(true);
  return await mirror.report();
}

describe("what is copied", () => {
  it("is the share exactly, over 1,000 requests", async () => {
    const [primary, shadow] = [await bed.http(json({ a: 1 })), await remembering(json({ a: 1 }))];
    const mirror = await bed.mirror(primary, { shadow: shadow.url, sharePercent: 30, maximumConcurrency: 300 });

    const outcome = await loadOf(mirror.url, { ratePerSecond: 1_000, count: 1_000 });
    expect(outcome.lost).toEqual([]);
    expect(await settled(mirror)).toMatchObject({ seen: 1_000, mirrored: 300, compared: 300, differed: 0 });
    expect(shadow.asked).toHaveLength(300);
  });

  it.each(["GET", "HEAD", "OPTIONS"])("is a safe request such as %s, with a mark", async (method) => {
    let copy = "";
    const primary = await bed.http((_request, response) => response.end());
    const shadow = await bed.sockets((socket) => {
      socket.on("data", (chunk) => {
        copy += chunk.toString("latin1");
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
    });
    const mirror = await bed.mirror(primary, { shadow: shadow.url });

    await exchange(
      mirror.port,
      `${method} /a?b HTTP/1.1\r\nHost: shop.example\r\nCookie: c=d\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n`,
    );
    await settled(mirror);
    expect(copy).toBe(
      `${method} /a?b HTTP/1.1\r\nHost: shop.example\r\nCookie: c=d\r\nx-bascule-mirrored: 1\r\nConnection: keep-alive\r\n\r\n`,
    );
  });

  it.each(["POST", "PUT", "PATCH", "DELETE"])("is never %s, unless that is allowed", async (method) => {
    const [primary, shadow] = [await bed.http(json({})), await remembering(json({}))];
    const mirror = await bed.mirror(primary, { shadow: shadow.url });

    for (let index = 0; index < 5; index++) expect(await ask(mirror.url, { method }, "body")).toBe("200 {}");
    await ask(mirror.url);
    await settled(mirror);
    expect(shadow.asked).toEqual(["GET /"]);
    expect(await mirror.report()).toMatchObject({ seen: 6, mirrored: 1 });
  });

  it.each(["POST", "DELETE"] as const)("is %s with its body when that is allowed", async (method) => {
    const echo: RequestListener = (request, response) => request.pipe(response);
    const [primary, shadow] = [await bed.http(echo), await remembering(echo)];
    const mirror = await bed.mirror(primary, { shadow: shadow.url, unsafeMethods: [method] });

    expect(await ask(mirror.url, { method }, "some body")).toBe("200 some body");
    expect(await settled(mirror)).toMatchObject({ mirrored: 1, compared: 1, differed: 0 });
    expect(shadow.asked).toEqual([`${method} /`]);
  });

  it("is no request that is itself a copy", async () => {
    const [primary, shadow] = [await bed.http(json({})), await remembering(json({}))];
    const mirror = await bed.mirror(primary, { shadow: shadow.url });

    await ask(mirror.url, { headers: { "x-bascule-mirrored": "1" } });
    expect(await mirror.report()).toMatchObject({ seen: 1, mirrored: 0 });
    expect(shadow.asked).toEqual([]);
  });

  it.each([
    ["a request's", { unsafeMethods: ["POST" as const] }, "x".repeat(1_001), 10],
    ["the primary's", {}, undefined, 1_001],
  ])("is not compared when %s body is over the limit", async (_whose, options, body, answered) => {
    const primary = await bed.http((request, response) =>
      request.resume().on("end", () => response.end("y".repeat(answered))),
    );
    const shadow = await remembering(json({}));
    const mirror = await bed.mirror(primary, { shadow: shadow.url, maximumBodyBytes: 1_000, ...options });

    expect(await ask(mirror.url, { method: body === undefined ? "GET" : "POST" }, body)).toBe(
      `200 ${"y".repeat(answered)}`,
    );
    expect(await settled(mirror)).toMatchObject({ mirrored: 1, notCompared: 1, compared: 0, differed: 0 });
    if (body !== undefined) expect(shadow.asked).toEqual([]);
  });
});

describe("what is reported", () => {
  it("tells how the answers differ, how often, and how long both took", async () => {
    const primary = await bed.http((request, response) => {
      if (request.url === "/text") response.end("a");
      else json({ host: "a", items: [{ price: 1, at: 1 }] })(request, response);
    });
    const shadow = await bed.http((request, response) => {
      if (request.url === "/text") response.writeHead(500).end("b");
      else setTimeout(() => json({ host: "b", items: [{ price: "1", at: 2 }] })(request, response), 60);
    });
    const mirror = await bed.mirror(primary, { shadow: shadow.url, ignore: ["$.host", "$.items[*].at"] });

    for (let index = 0; index < 3; index++) await ask(`${mirror.url}/v1/items/1234?q=1`);
    await settled(mirror);
    await ask(`${mirror.url}/text`);
    const report = await settled(mirror);

    expect(report).toMatchObject({ seen: 4, mirrored: 4, compared: 4, differed: 4, notCompared: 0, shadowFailed: 0 });
    expect(report.differences).toEqual([
      {
        method: "GET",
        path: "/v1/items/{…}",
        what: "body",
        at: "$.items[*].price",
        primary: "number",
        shadow: "string",
        count: 3,
      },
      { method: "GET", path: "/text", what: "status", primary: "200", shadow: "500", count: 1 },
      { method: "GET", path: "/text", what: "body", primary: "bytes", shadow: "bytes", count: 1 },
    ]);
    expect(report.samples).toHaveLength(4);
    for (const { primaryMs, shadowMs } of report.samples.slice(0, 3)) {
      expect(primaryMs).toBeLessThan(50);
      expect(shadowMs).toBeGreaterThan(50);
      expect(shadowMs).toBeLessThan(500);
    }
  });

  it("keeps the latest 1,000 pairs of times", async () => {
    const [primary, shadow] = [await bed.http(json({})), await bed.http(json({}))];
    const mirror = await bed.mirror(primary, { shadow: shadow.url });

    await loadOf(mirror.url, { ratePerSecond: 1_000, count: 1_100 });
    const { compared, samples } = await settled(mirror);
    expect(compared).toBeGreaterThan(1_000);
    expect(samples).toHaveLength(1_000);
  });

  it("holds no content of requests and answers, and neither does the log", async () => {
    const secretive = (status: number, value: unknown): RequestListener => {
      return (_request, response) => {
        response.writeHead(status, {
          "content-type": "application/json",
          location: `/${canary}/${String(status)}`,
          "x-token": `${canary}${String(status)}`,
          "set-cookie": `session=${canary}`,
        });
        response.end(JSON.stringify(value));
      };
    };
    const primary = await bed.http(secretive(200, { token: canary, byUser: { [canary]: { name: `Jean ${canary}` } } }));
    const shadow = await bed.http(secretive(500, { token: 1, byUser: { [canary]: { name: "" } }, [canary]: canary }));
    const mirror = await bed.mirror(primary, {
      shadow: shadow.url,
      unsafeMethods: ["POST"],
      compareHeaders: ["location", "x-token", "set-cookie"],
    });

    const headers = { authorization: `Bearer ${canary}`, cookie: canary, "x-secret": canary };
    await ask(`${mirror.url}/of/${canary}?token=${canary}`, { method: "POST", headers }, canary);
    await settled(mirror);
    await shadow.close();
    await ask(`${mirror.url}/of/${canary}?token=${canary}`, { method: "POST", headers }, canary);
    await settled(mirror);
    await primary.close();
    await ask(`${mirror.url}/of/${canary}?token=${canary}`, { method: "POST", headers }, canary);
    const report = await settled(mirror);
    mirror.terminate();

    expect(report).toMatchObject({ seen: 3, compared: 1, differed: 1, shadowFailed: 1, primaryFailed: 1 });
    expect(report.differences.map(({ what, at }) => at ?? what)).toEqual([
      "status",
      "location",
      "x-token",
      "$.token",
      "$.byUser[*].name",
      "$[*]",
      "missing",
    ]);
    expect(JSON.stringify(report)).not.toContain(canary);
    expect(mirror.log()).toContain("listening");
    expect(mirror.log()).not.toContain(canary);
  });
});

describe("a shadow that does badly", () => {
  /** Answers to 200 requests a second for two seconds, through a mirror with such a shadow. */
  async function underLoad(shadow: { readonly url: string }, shadowTimeoutMs: number) {
    const primary = await bed.http((request, response) => void setTimeout(json([]), 5, request, response));
    const mirror = await bed.mirror(primary, { shadow: shadow.url, shadowTimeoutMs, ignore: ["$..at"] });
    const outcome = await loadOf(mirror.url, { ratePerSecond: 200, count: 400 });
    return { outcome, report: await settled(mirror), mirror };
  }

  it.each<[string, () => Promise<{ readonly url: string }>, Partial<MirrorReport>]>([
    ["is not there", () => bed.nobody(), { shadowFailed: 400, notCompared: 0 }],
    ["has no address", async () => ({ url: "http://no-such-name.invalid:80" }), { compared: 0 }],
    ["accepts connections and never answers", () => bed.sockets(() => {}), { compared: 0 }],
    [
      "breaks every connection",
      () => bed.sockets((socket) => socket.once("data", () => socket.destroy())),
      { shadowFailed: 400 },
    ],
    [
      "breaks off its answers",
      () =>
        bed.sockets((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"))),
      { shadowFailed: 400 },
    ],
    [
      "answers slowly",
      () => bed.http((request, response) => void setTimeout(json([]), 700, request, response)),
      { differed: 0, shadowFailed: 0 },
    ],
    [
      "answers without end",
      () =>
        bed.http((_request, response) => {
          const write = () => {
            while (response.writable && response.write(Buffer.alloc(65_536)));
          };
          response.on("drain", write);
          write();
        }),
      { compared: 0, shadowFailed: 0 },
    ],
    [
      "answers with JSON that is hard to compare",
      () => {
        return bed.http(json(Array.from({ length: 60_000 }, (_item, index) => ({ a: index }))));
      },
      { shadowFailed: 0 },
    ],
  ])(
    "and %s loses no request and delays none",
    async (_what, start, expected) => {
      const { outcome, report } = await underLoad(await start(), expected.shadowFailed === 0 ? 5_000 : 1_000);

      expect(outcome.lost).toEqual([]);
      expect(outcome.milliseconds).toHaveLength(400);
      // The primary takes 5 ms; what is beyond is the two hops, and the noise of a machine that does other things too.
      expect(percentile(outcome.milliseconds, 50)).toBeLessThan(50);
      expect(percentile(outcome.milliseconds, 99)).toBeLessThan(250);
      expect(report).toMatchObject({ seen: 400, mirrored: 400, primaryFailed: 0, ...expected });
    },
    30_000,
  );

  it("is told as missing, by how it failed", async () => {
    const primary = await bed.http(json({}));
    const mirror = await bed.mirror(primary);
    await ask(`${mirror.url}/a`);

    const { differences } = await settled(mirror);
    expect(differences).toEqual([{ method: "GET", path: "/a", what: "missing", shadow: "refused", count: 1 }]);
  });

  it("and is too late is given up at its time limit", async () => {
    const primary = await bed.http(json({}));
    const shadow = await bed.sockets(() => {});
    const mirror = await bed.mirror(primary, { shadow: shadow.url, shadowTimeoutMs: 200 });
    await ask(mirror.url);

    expect((await settled(mirror)).differences).toMatchObject([{ what: "missing", shadow: "timeout" }]);
  });

  it("takes a bounded number of copies at once, and the others are not compared", async () => {
    const primary = await bed.http(json({}));
    const shadow = await bed.sockets(() => {});
    const mirror = await bed.mirror(primary, { shadow: shadow.url, shadowTimeoutMs: 500, maximumConcurrency: 3 });
    for (let index = 0; index < 10; index++) await ask(mirror.url);

    expect(await settled(mirror)).toMatchObject({ mirrored: 10, shadowFailed: 3, notCompared: 7 });
  });

  it("is asked no longer than the primary's answer may take, such as a stream without end", async () => {
    const primary = await bed.http((_request, response) => response.writeHead(200).flushHeaders());
    const shadow = await bed.http(json({}));
    const mirror = await bed.mirror(primary, { shadow: shadow.url, shadowTimeoutMs: 200 });

    const answer = await fetch(mirror.url);
    expect(await settled(mirror)).toMatchObject({ mirrored: 1, notCompared: 1 });
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
  });

  it("is not judged by an answer that the client did not wait for", async () => {
    const primary = await bed.http((_request, response) => void setTimeout(() => response.end(), 5_000));
    const shadow = await bed.http(json({}));
    const mirror = await bed.mirror(primary, { shadow: shadow.url });

    await expect(fetch(mirror.url, { signal: AbortSignal.timeout(100) })).rejects.toThrow();
    expect(await settled(mirror)).toMatchObject({ mirrored: 1, notCompared: 1, primaryFailed: 0 });
  });

  it.each<[string, string, string[]]>([
    ["a third of a million objects", `[${"{},".repeat(340_000)}{}]`, []],
    ["a third of a million objects, all of which are to be ignored", `[${"{},".repeat(340_000)}{}]`, ["$..*"]],
    ["half a million arrays, one within another", `${"[".repeat(500_000)}${"]".repeat(500_000)}`, ["$..a"]],
    ["numbers longer than a number can hold", `[${"12345678901234567890,".repeat(45_000)}1]`, []],
    [
      "names that are all different",
      JSON.stringify(Object.fromEntries(Array.from({ length: 90_000 }, (_name, index) => [index, 1]))),
      [],
    ],
  ])(
    "and makes the comparison as hard as it can costs only comparisons: %s",
    async (_what, text, ignore) => {
      const bomb = gzipSync(text);
      let isBomb = true;
      const primary = await bed.http(json([]));
      const shadow = await bed.http((request, response) => {
        const headers = { "content-type": "application/json", "content-encoding": "gzip" };
        if (isBomb) response.writeHead(200, headers).end(bomb);
        else json([])(request, response);
      });
      const mirror = await bed.mirror(primary, { shadow: shadow.url, ignore });

      const bombed = await loadOf(mirror.url, { ratePerSecond: 100, count: 8 });
      expect(bombed.lost).toEqual([]);
      const { compared, notCompared } = await settled(mirror);
      expect(compared + notCompared).toBe(8);
      isBomb = false;
      await expect
        .poll(async () => [await ask(mirror.url), (await mirror.report()).compared > compared], { timeout: 10_000 })
        .toEqual(["200 []", true]);
      expect(await mirror.readiness()).toBe(200);
    },
    60_000,
  );

  it("may close its kept connections without being blamed for it", async () => {
    const primary = await bed.http(json({}));
    const shadow = await bed.http(json({}), (server) => {
      Object.assign(server, { keepAliveTimeout: 1, keepAliveTimeoutBuffer: 0 });
    });
    const mirror = await bed.mirror(primary, { shadow: shadow.url });

    for (let pause = 0; pause < 60; pause++) {
      await ask(mirror.url);
      await sleep(pause / 10);
    }
    expect(await settled(mirror)).toMatchObject({ compared: 60, shadowFailed: 0 });
  });
});
