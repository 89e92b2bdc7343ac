import type { RequestListener } from "node:http";
import { describe, expect, it } from "vitest";
import { ask, exchange, type Backend } from "./backend.fake.ts";
import { loadOf } from "./load.fake.ts";
import { json, settled } from "./settled.fake.ts";
import { testbed } from "./testbed.fake.ts";

const bed = testbed();
const canary = "canary-7f3e9a51c2";

/** A backend that remembers what it was asked. */
async function remembering(listener: RequestListener): Promise<Backend & { readonly asked: string[] }> {
  const asked: string[] = [];
  const backend = await bed.http((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    listener(request, response);
  });
  return { ...backend, asked };
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

    await loadOf(mirror.url, { ratePerSecond: 250, count: 1_100 });
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
