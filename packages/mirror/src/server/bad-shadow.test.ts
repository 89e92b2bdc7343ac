import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { MirrorReport } from "../report/report.ts";
import { ask } from "./backend.fake.ts";
import { loadOf, percentile } from "./load.fake.ts";
import { json, settled } from "./settled.fake.ts";
import { testbed } from "./testbed.fake.ts";

const bed = testbed();

describe("a shadow that does badly", () => {
  /**
   * Answers to 200 requests a second for two seconds, through a mirror with such a shadow, and at the same time through one that
   * copies nothing: whatever else the machine does then delays both.
   */
  async function underLoad(shadow: { readonly url: string }, shadowTimeoutMs: number) {
    const primary = await bed.http((request, response) => void setTimeout(json([]), 5, request, response));
    const mirror = await bed.mirror(primary, { shadow: shadow.url, shadowTimeoutMs, ignore: ["$..at"] });
    const plain = await bed.mirror(primary, { sharePercent: 0 });
    const [outcome, control] = await Promise.all([
      loadOf(mirror.url, { ratePerSecond: 200, count: 400 }),
      loadOf(plain.url, { ratePerSecond: 100, count: 200 }),
    ]);
    return { outcome, control, report: await settled(mirror) };
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
      const shadowTimeoutMs = expected.shadowFailed === 0 ? 5_000 : 1_000;
      const { outcome, control, report } = await underLoad(await start(), shadowTimeoutMs);

      expect(outcome.lost).toEqual([]);
      expect(outcome.milliseconds).toHaveLength(400);
      // Whoever waited for the shadow would wait for all of its time.
      for (const percent of [50, 99]) {
        const delayMs = percentile(outcome.milliseconds, percent) - percentile(control.milliseconds, percent);
        expect(delayMs).toBeLessThan(shadowTimeoutMs * 0.9);
      }
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

      const bombed = await loadOf(mirror.url, { ratePerSecond: 100, count: 4 });
      expect(bombed.lost).toEqual([]);
      const { compared, notCompared } = await settled(mirror);
      expect(compared + notCompared).toBe(4);
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
