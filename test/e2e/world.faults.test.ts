import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createProgress } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openScene, type Scene } from "./harness/scene.ts";
import { until } from "./harness/until.ts";

describe("a release in a world that fails", () => {
  let scene: Scene;
  let stable = "";

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const first = await scene.release({ version: "w0" });
    expect(first.exitCode, first.output).toBe(0);
    stable = (await scene.namespace.servedVersion()) ?? "";
  });
  afterAll(() => scene.close());

  const journalTells = (version: string, fact: string) =>
    until(`the journal to tell ${fact}`, () => {
      const path = scene.journalPath(version);
      return existsSync(path) && readFileSync(path, "utf8").includes(`"kind":"${fact}"`);
    });

  const expectStableServing = async () => {
    expect(await scene.namespace.servedVersion()).toBe(stable);
    expect(await scene.namespace.marker()).toBeUndefined();
    const address = await scene.namespace.serviceAddress();
    expect((await fetch(`http://${address}/`)).headers.get("x-version")).toBe("w0");
  };

  it("never moves traffic to a candidate whose probes time out", async () => {
    const load = await scene.load({ ratePerSecond: 50 });
    const result = await scene.release({ version: "w1", behaviour: { LATENCY_MS: "4000" } });
    const report = await load.stop();
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain("nothing complete within 2000 ms");
    expect(report.badRequests).toEqual([]);
    expect(Object.keys(report.byVersion)).toEqual(["w0"]);
    await expectStableServing();
  });

  it("never moves traffic to a candidate that does not become ready", async () => {
    const load = await scene.load({ ratePerSecond: 50 });
    const result = await scene.release({
      version: "w2",
      behaviour: { SLOW_START_MS: "600000" },
      settings: { readyTimeoutMs: "8000" },
    });
    const report = await load.stop();
    await scene.stack.setConfig("web:readyTimeoutMs", "120000");
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toMatch(/is not ready|0 of 2|progress/i);
    expect(report.badRequests).toEqual([]);
    await expectStableServing();
  });

  it("goes back when all Pods of the candidate die right after the switch, whatever state the candidate is in", async () => {
    const load = await scene.load();
    const result = await scene.release({ version: "w3", behaviour: { EXIT_BEHIND_SERVICE: "true" } });
    const report = await load.stop();
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain(`all is as it was: ${stable} 100 %, verified`);
    expect(report.badRequests.length, "the Pods did die under the load").toBeGreaterThan(0);
    await expectStableServing();
  });

  /** Releases a version, takes the API server away for 20 s once the journal tells a fact, and counts what clients saw. */
  const releaseThroughOutage = async (version: string, fact: string) => {
    await scene.configure({ version });
    const load = await scene.load();
    const update = scene.stack.startUp();
    await journalTells(version, fact);
    const resume = await scene.cluster.interruptApiServer(30_000);
    await sleep(20_000);
    await resume();
    const result = await update.done;
    return { result, report: await load.stop() };
  };

  it("goes back when the API server is away for 20 s before traffic has moved", async () => {
    const { result, report } = await releaseThroughOutage("w4", "routerClaimed");
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toContain(`all is as it was: ${stable} 100 %, verified`);
    expect(report.badRequests).toEqual([]);
    await expectStableServing();
  });

  it("waits for the API server, and loses nothing, when it is away for 20 s after traffic has moved", async () => {
    const { result, report } = await releaseThroughOutage("w5", "trafficShifted");
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    expect(await scene.namespace.marker()).toBeUndefined();
    const back = await scene.release({ version: "w0" });
    expect(back.exitCode, back.output).toBe(0);
    await expectStableServing();
  });

  it("makes the Service anew, at its former address, when somebody deletes it in the middle of a shift", async () => {
    const address = await scene.namespace.serviceAddress();
    await scene.configure({ version: "w7" });
    const update = scene.stack.startUp();
    await journalTells("w7", "trafficShifted");
    await scene.namespace.deleteService();
    const result = await update.done;
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toContain("Traffic: all is as it was");
    expect(await scene.namespace.serviceAddress()).toBe(address);
    await expectStableServing();
  });

  it("refuses a second run, naming the first, and lets the first one finish", async () => {
    await scene.configure({ version: "w8" });
    const second = await scene.secondStack();
    const first = scene.stack.startUp();
    await journalTells("w8", "routerClaimed");
    const refused = await second.up();
    const result = await first.done;
    expect(result.exitCode, result.output).toBe(0);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toMatch(/Another run is moving traffic: transaction [0-9a-f-]{36} of process \d+ on/);
    const address = await scene.namespace.serviceAddress();
    expect((await fetch(`http://${address}/`)).headers.get("x-version")).toBe("w8");
  });

  it("goes back when somebody asks for it by a mark on the Service", async () => {
    const before = await scene.namespace.servedVersion();
    await scene.configure({ version: "w9", settings: { plan: JSON.stringify({ holdMs: 120_000 }) } });
    const load = await scene.load();
    const update = scene.stack.startUp();
    await journalTells("w9", "trafficShifted");
    await scene.namespace.patchService({ metadata: { annotations: { "bascule.dev/abort": "ada" } } });
    const result = await update.done;
    const report = await load.stop();
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toContain("An abort was asked for on the router object");
    expect(result.output).toContain(`all is as it was: ${before} 100 %, verified`);
    expect(report.badRequests).toEqual([]);
    expect(await scene.namespace.servedVersion()).toBe(before);
    expect(await scene.namespace.marker()).toBeUndefined();
  });
});
