import { createProgress } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, sharesOf } from "./harness/ask.ts";
import { mostBadAnswers } from "./harness/exposure.ts";
import { openScene, type Entrance, type ReleaseOptions, type Scene } from "./harness/scene.ts";

const ratePerSecond = 200;
const requests = 5_000;
const tolerancePoints = 3;

const briefly = [{ kind: "shift", weightPercent: 50 }];

const shift = (weightPercent: number) => ({ kind: "shift", weightPercent });
const soak = (durationMs: number) => ({ kind: "soak", durationMs });
const pause = (name: string) => ({ kind: "pause", name, isApproved: false });

describe("a progressive release by the weights of an HTTPRoute, with a real data plane", () => {
  let scene: Scene;
  let entrance: Entrance;
  let router: object;

  const settings = (plan: object, others: Readonly<Record<string, string>> = {}) => ({
    strategy: "progressive",
    plan: JSON.stringify({ router, steps: briefly, holdMs: 1_000, ...plan }),
    stable: "",
    ...others,
  });
  const release = (version: string, plan: object = {}, options: Partial<ReleaseOptions> = {}) =>
    scene.release({ version, ...options, settings: settings(plan, options.settings) });

  const approvalsOf = async (weights: readonly number[]) => {
    const candidate = await scene.candidate();
    return Object.fromEntries(weights.map((weight) => [`at ${weight}`, candidate]));
  };

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const { name, namespace, host, port } = await scene.cluster.gateway();
    const hostHeader = `${scene.namespace.name}.example`;
    entrance = { host, port, hostHeader };
    router = { kind: "httpRoute", parentRefs: [{ name, namespace }], hostnames: [hostHeader] };
    const first = await release("v1");
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  it("answers by the Gateway, at the address that the stack tells", async () => {
    expect(await ask(entrance)).toMatchObject({ status: 200, version: "v1" });
    expect(await scene.cutoverOutputs()).toMatchObject({ details: { address: `${entrance.host}:${entrance.port}` } });
  });

  it("moves step by step without losing a request, on new connections and on kept ones", async () => {
    const loads = [
      await scene.load({ ratePerSecond, entrance }),
      await scene.load({ ratePerSecond: 50, connections: "keptAlive", entrance }),
    ];
    const result = await release("v2", { steps: [shift(10), soak(2_000), shift(50), soak(2_000)] });
    const reports = await Promise.all(loads.map((load) => load.stop()));
    expect(result.exitCode, result.output).toBe(0);
    for (const report of reports) {
      expect(report.badRequests).toEqual([]);
      expect(report.ok).toBe(report.sent);
      expect(report.byVersion["v1"]).toBeGreaterThan(0);
      expect(report.byVersion["v2"]).toBeGreaterThan(0);
    }
  });

  it("gives clients each weight of the plan, within 3 points over 5,000 requests", async () => {
    const weights = [5, 20, 33.3, 75];
    const steps = weights.flatMap((weight) => [shift(weight), pause(`at ${weight}`)]);
    const seen: number[] = [];
    for (const [index] of weights.entries()) {
      const approved = index === 0 ? {} : await approvalsOf(weights.slice(0, index));
      const result = await release("v3", { steps, approved }, { settings: { stable: "v2" } });
      expect(result.exitCode, result.output).toBe(0);
      seen.push((await sharesOf(entrance, requests))["v3"] ?? 0);
    }
    console.log(`weights as planned: ${weights.join(", ")}; as clients see them: ${seen.join(", ")}`);
    for (const [index, weight] of weights.entries()) {
      expect(Math.abs((seen[index] ?? 0) - weight)).toBeLessThanOrEqual(tolerancePoints);
    }
    const approved = await approvalsOf(weights);
    const done = await release("v3", { steps, approved }, { settings: { stable: "v2" } });
    expect(done.exitCode, done.output).toBe(0);
    expect(await sharesOf(entrance, 100)).toEqual({ v3: 100 });
  });

  it("puts back a version that fails at its first weight: no more bad answers than that weight makes", async () => {
    const load = await scene.load({ ratePerSecond, entrance });
    const result = await release("v4", { steps: [shift(20)] }, { behaviour: { FAIL_BEHIND_SERVICE: "true" } });
    const report = await load.stop();
    expect(result.exitCode, result.output).not.toBe(0);
    expect(report.lost).toBe(0);
    expect(report.bad).toBeGreaterThan(0);
    expect(report.bad).toBeLessThanOrEqual(mostBadAnswers(await scene.journal("v4"), ratePerSecond));
    expect(await sharesOf(entrance, 200)).toEqual({ v3: 100 });
  });

  it("sends chosen users to the candidate first, by a header or a cookie, and nobody else", async () => {
    const steps = [
      {
        kind: "route",
        matches: [
          { header: "x-beta", exact: "yes" },
          { cookie: "group", prefix: "staff" },
        ],
      },
      pause("beta"),
    ];
    const result = await release("v5", { steps }, { settings: { stable: "v3" } });
    expect(result.exitCode, result.output).toBe(0);
    expect(await ask(entrance, { "x-beta": "yes" })).toMatchObject({ version: "v5" });
    expect(await ask(entrance, { cookie: "theme=dark; group=staff-7" })).toMatchObject({ version: "v5" });
    expect(await ask(entrance, { "x-beta": "no", cookie: "group=guest" })).toMatchObject({ version: "v3" });
    expect(await sharesOf(entrance, 200)).toEqual({ v3: 100 });
    const done = await release(
      "v5",
      { steps, approved: { beta: await scene.candidate() } },
      { settings: { stable: "v3" } },
    );
    expect(done.exitCode, done.output).toBe(0);
    expect(await ask(entrance)).toMatchObject({ version: "v5" });
  });

  it("goes back to one of the last versions at once, without its steps", async () => {
    const steps = [shift(10), soak(20_000), shift(50), soak(20_000)];
    const back = await release("v3", { steps, fastTrackChanges: 2 });
    expect(back.exitCode, back.output).toBe(0);
    const journal = JSON.stringify(await scene.journal("v3"));
    expect(journal).toContain("fast track");
    expect(await sharesOf(entrance, 100)).toEqual({ v3: 100 });
  });

  it("shows an HTTPRoute that somebody changed by hand, and puts it right with the next update", async () => {
    await scene.namespace.patchRoute({ spec: { hostnames: ["elsewhere.example"] } });
    const refreshed = await scene.stack.refresh();
    expect(refreshed.output).toMatch(/elsewhere\.example/);
    const repaired = await scene.stack.up();
    expect(repaired.exitCode, repaired.output).toBe(0);
    expect(await ask(entrance)).toMatchObject({ status: 200, version: "v3" });
  });
});
