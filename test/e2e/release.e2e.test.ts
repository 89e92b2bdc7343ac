import { findBreak } from "@bascule/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProgress } from "@bascule/rig";
import { openScene, type Scene } from "./harness/scene.ts";

const canary = "canary-3c1f9b7e";
const detectionLimitMs = 500;

describe("a release on a real cluster, by a real pulumi up", () => {
  let scene: Scene;
  let stable = "";

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    await scene.stack.setConfig("web:token", canary, true);
    const first = await scene.release({ version: "v1" });
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  it("tells the reviewer of a preview in plain words what will happen", async () => {
    await scene.configure({ version: "v2" });
    const { exitCode, output } = await scene.stack.preview();
    expect(exitCode, output).toBe(0);
    expect(output).toContain(`${await scene.namespace.servedVersion()} 100 % → web-`);
    expect(output).toContain("verify the candidate, which has no traffic yet");
    expect(output).toContain("move 100 % of traffic to the candidate");
    expect(output).toMatch(/on any failure traffic goes back to web-\w+ 100 %/);
  });

  it("moves all traffic to v2 without losing one request, on new connections and on kept ones", async () => {
    const loads = [await scene.load(), await scene.load({ ratePerSecond: 50, connections: "keptAlive" })];
    const result = await scene.release({ version: "v2" });
    const reports = await Promise.all(loads.map((load) => load.stop()));
    expect(result.exitCode, result.output).toBe(0);
    for (const report of reports) {
      expect(report.badRequests).toEqual([]);
      expect(report.ok).toBe(report.sent);
      expect(report.byVersion["v1"]).toBeGreaterThan(0);
      expect(report.byVersion["v2"]).toBeGreaterThan(0);
    }
    stable = (await scene.namespace.servedVersion()) ?? "";
    expect(await scene.namespace.versions()).toEqual([stable]);
    expect(await scene.namespace.marker()).toBeUndefined();
  });

  it("writes a whole journal of it, without secrets", async () => {
    const entries = await scene.journal("v2");
    expect(findBreak(entries)).toBeUndefined();
    const kinds = entries.map(({ fact }) => fact.kind).filter((kind) => kind !== "measured");
    expect(kinds).toEqual([
      "snapshotTaken",
      "cutoverStarted",
      "routerObserved",
      "routerClaimed",
      "stepStarted",
      "stepPassed",
      "stepStarted",
      "trafficShifted",
      "stepStarted",
      "stepPassed",
      "stepStarted",
      "stepPassed",
      "committed",
    ]);
    expect(JSON.stringify(entries)).not.toContain(canary);
    expect(await scene.stack.exportText()).not.toContain(canary);
  });

  it("puts back a v3 that fails only once it has traffic: no request lost, and bad answers for half a second at the most", async () => {
    const loads = [await scene.load(), await scene.load({ ratePerSecond: 50, connections: "keptAlive" })];
    const result = await scene.release({ version: "v3", behaviour: { FAIL_BEHIND_SERVICE: "true" } });
    const [fresh, kept] = await Promise.all(loads.map((load) => load.stop()));
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toContain("expected status 200, measured 500");
    expect(result.output).toContain(`all is as it was: ${stable} 100 %, verified`);
    expect(result.output).not.toContain(canary);
    expect(fresh?.byVersion["v3"], "traffic had moved").toBeGreaterThan(0);
    expect(fresh?.lost).toBe(0);
    expect(kept?.lost).toBe(0);
    expect(fresh?.badWindowMs).toBeLessThanOrEqual(detectionLimitMs);
    expect(await scene.namespace.servedVersion()).toBe(stable);
    expect(await scene.namespace.marker()).toBeUndefined();
  });

  it("leaves a state that says what the world is after a rollback", async () => {
    const resources = await scene.stack.exportResources();
    const cutover = resources.find(({ type }) => type === "pulumi-nodejs:dynamic/bascule:Cutover");
    expect(await scene.cutoverOutputs()).toMatchObject({ candidate: stable, weights: { [stable]: 100 } });
    expect(JSON.stringify(cutover?.inputs)).toContain(stable);
  });

  it("keeps its own text in the state small", async () => {
    const resources = await scene.stack.exportResources();
    const providers = resources
      .map(({ outputs }) => outputs?.["__provider"])
      .filter((text) => typeof text === "string");
    expect(providers.length).toBeGreaterThan(0);
    for (const text of providers) expect(text.length).toBeLessThan(320);
  });

  it("removes only v3 after a revert of the commit, and moves nothing", async () => {
    await scene.configure({ version: "v2" });
    const { output } = await scene.stack.preview();
    const changed = output
      .split("\n")
      .filter((line) => /^ *[-+~]+ \S+:.*\((create|update|replace|delete)\)/.test(line));
    expect(changed.length).toBeGreaterThan(0);
    for (const line of changed) expect(line).toContain("(delete)");

    const load = await scene.load();
    const result = await scene.stack.up();
    const report = await load.stop();
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    expect(await scene.namespace.versions()).toEqual([stable]);
  });

  it("accepts a good version right after a bad one, because no probe keeps a connection to the bad one", async () => {
    const bad = await scene.release({ version: "v4", behaviour: { FAIL_BEHIND_SERVICE: "true" } });
    expect(bad.exitCode).not.toBe(0);
    const good = await scene.release({ version: "v5" });
    expect(good.exitCode, good.output).toBe(0);
    const address = await scene.namespace.serviceAddress();
    expect((await fetch(`http://${address}/`)).headers.get("x-version")).toBe("v5");
  });

  it("takes files, secrets and the autoscaler along with a version", async () => {
    const plan = {
      files: { "/etc/web": { "web.conf": "greeting = hello" } },
      secrets: { TOKEN: { stackSecret: "token" } },
      autoscale: { maxReplicas: 4 },
    };
    const result = await scene.release({ version: "v5", settings: { plan: JSON.stringify(plan) } });
    expect(result.exitCode, result.output).toBe(0);
    const served = await scene.namespace.servedVersion();
    expect(await scene.namespace.autoscaledVersion()).toBe(served);
    expect(await scene.namespace.configurationOf(served ?? "")).toEqual({
      files: { "web.conf": "greeting = hello" },
      secrets: { TOKEN: canary },
    });
    expect(result.output).not.toContain(canary);
    expect(await scene.stack.exportText()).not.toContain(canary);

    const without = await scene.release({ version: "v5", settings: { plan: "{}" } });
    expect(without.exitCode, without.output).toBe(0);
    expect(await scene.namespace.autoscaledVersion()).toBeUndefined();
  });

  it("keeps a standby warm, and goes back to it by swapping two names", async () => {
    const withStandby = await scene.release({ version: "v6", settings: { standby: "v5" } });
    expect(withStandby.exitCode, withStandby.output).toBe(0);
    expect(await scene.namespace.versions()).toHaveLength(2);
    const back = await scene.release({ version: "v5", settings: { standby: "v6" } });
    expect(back.exitCode, back.output).toBe(0);
    const address = await scene.namespace.serviceAddress();
    expect((await fetch(`http://${address}/`)).headers.get("x-version")).toBe("v5");
    expect(await scene.namespace.versions()).toHaveLength(2);
  });

  it("reports a Service that somebody changed by hand, and puts it right with the next update", async () => {
    const served = await scene.namespace.servedVersion();
    await scene.namespace.patchService({ spec: { selector: { "bascule.dev/version": "web-by-hand" } } });
    const refreshed = await scene.stack.refresh();
    expect(refreshed.exitCode, refreshed.output).toBe(0);
    expect(refreshed.output).toContain("web-by-hand");
    const repaired = await scene.stack.up();
    expect(repaired.exitCode, repaired.output).toBe(0);
    expect(await scene.namespace.servedVersion()).toBe(served);
  });

  it("refuses bad input before anything changes", async () => {
    const before = await scene.namespace.versions();
    const result = await scene.release({ version: "v7", settings: { image: "bascule.local/web" } });
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toMatch(/container\.image = "bascule\.local\/web": must have a tag/);
    expect(await scene.namespace.versions()).toEqual(before);
    await scene.stack.setConfig("web:image", "bascule.local/web:1");
  });

  it("removes everything on destroy", async () => {
    const result = await scene.stack.destroy();
    expect(result.exitCode, result.output).toBe(0);
    expect(await scene.namespace.isGone()).toBe(true);
  });
});
