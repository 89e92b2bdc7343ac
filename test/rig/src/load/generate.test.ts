import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { startLoad } from "./start-load.ts";

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<{ url: string; connections: () => number }> {
  let connections = 0;
  const server = createServer(listener).on("connection", () => connections++);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, connections: () => connections };
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

describe("the load", () => {
  it("keeps its rate and opens a connection for each request", async () => {
    const { url, connections } = await serve((_request, response) => response.setHeader("x-version", "v1").end());
    const load = startLoad({ url, ratePerSecond: 100, connections: "new" });
    await sleep(1_500);
    const report = await load.stop();
    expect(report.sent).toBeGreaterThan(80);
    expect(report.sent).toBeLessThan(170);
    expect(report).toMatchObject({ ok: report.sent, bad: 0, lost: 0, byVersion: { v1: report.sent } });
    expect(connections()).toBe(report.sent);
  });

  it("keeps its connections when asked to", async () => {
    const { url, connections } = await serve((_request, response) => response.end());
    const load = startLoad({ url, ratePerSecond: 100, connections: "keptAlive" });
    await sleep(1_000);
    const report = await load.stop();
    expect(report.lost).toBe(0);
    expect(connections()).toBeLessThanOrEqual(10);
  });

  it("tells bad answers from lost requests, and how long bad ones lasted", async () => {
    let count = 0;
    const { url } = await serve((_request, response) => {
      count++;
      if (count % 10 === 0) return response.destroy();
      return response.writeHead(count % 5 === 0 ? 500 : 200).end();
    });
    const load = startLoad({ url, ratePerSecond: 100, connections: "new" });
    await sleep(1_000);
    const report = await load.stop();
    expect(report.lost).toBeGreaterThanOrEqual(3);
    expect(report.bad).toBeGreaterThanOrEqual(3);
    expect(report.ok + report.bad + report.lost).toBe(report.sent);
    expect(report.badWindowMs).toBeGreaterThan(100);
  });

  it("counts a request without an answer in time as lost", async () => {
    const { url } = await serve(() => {});
    const load = startLoad({ url, ratePerSecond: 20, connections: "new", timeoutMs: 200 });
    await sleep(700);
    const report = await load.stop();
    expect(report.lost).toBe(report.sent);
    expect(report.lost).toBeGreaterThan(0);
  });
});
