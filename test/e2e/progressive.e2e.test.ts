import { createProgress } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mostBadAnswers } from "./harness/exposure.ts";
import { openScene, type ReleaseOptions, type Scene } from "./harness/scene.ts";

const replicas = 8;
const ratePerSecond = 200;

const steps = [
  { kind: "shift", weightPercent: 25 },
  { kind: "soak", durationMs: 2_000 },
  { kind: "shift", weightPercent: 50 },
  { kind: "soak", durationMs: 2_000 },
];

/** The steps with a pause after the first weight. */
const pausedSteps = [
  { kind: "shift", weightPercent: 25 },
  { kind: "pause", name: "office hours", isApproved: false },
  { kind: "shift", weightPercent: 50 },
];

describe("a progressive release by the number of Pods, by a real pulumi up on a real cluster", () => {
  let scene: Scene;

  const settings = (plan: object, others: Readonly<Record<string, string>> = {}) => ({
    strategy: "progressive",
    replicas: String(replicas),
    plan: JSON.stringify({ steps, holdMs: 1_000, ...plan }),
    stable: "",
    ...others,
  });
  const release = (version: string, plan: object = {}, options: Partial<ReleaseOptions> = {}) =>
    scene.release({ version, ...options, settings: settings(plan, options.settings) });

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const first = await release("v1");
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  it("gives a first version its full size at once, because there is nobody to split", async () => {
    const [only = ""] = await scene.namespace.versions();
    expect(await scene.namespace.sizes()).toEqual({ [only]: replicas });
  });

  it("moves step by step without losing a request, on new connections and on kept ones", async () => {
    const loads = [
      await scene.load({ ratePerSecond }),
      await scene.load({ ratePerSecond: 50, connections: "keptAlive" }),
    ];
    const sizes = scene.namespace.watchSizes();
    const result = await release("v2");
    const reports = await Promise.all(loads.map((load) => load.stop()));
    const seen = await sizes.stop();
    expect(result.exitCode, result.output).toBe(0);
    for (const report of reports) {
      expect(report.badRequests).toEqual([]);
      expect(report.ok).toBe(report.sent);
    }
    expect(reports[0]?.byVersion["v1"]).toBeGreaterThan(0);
    expect(reports[0]?.byVersion["v2"]).toBeGreaterThan(0);
    // 25 % of 8 above, rounded up, while both are there; and as many below.
    for (const size of seen) expect(size.ready).toBeGreaterThanOrEqual(replicas - 2);
    for (const size of seen) expect(size.wanted).toBeLessThanOrEqual(replicas + 2);
    const [only = ""] = await scene.namespace.versions();
    expect(await scene.namespace.sizes()).toEqual({ [only]: replicas });
  });

  it("puts back a version that fails at its first weight: no more bad answers than that weight makes", async () => {
    const before = await scene.namespace.servedVersion();
    const load = await scene.load({ ratePerSecond });
    const result = await release("v3", {}, { behaviour: { FAIL_BEHIND_SERVICE: "true" } });
    const report = await load.stop();
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toContain(`all is as it was: ${before} 100 %, verified`);
    expect(report.lost).toBe(0);
    expect(report.bad).toBeGreaterThan(0);
    expect(report.bad).toBeLessThanOrEqual(mostBadAnswers(await scene.journal("v3"), ratePerSecond));
    expect(await scene.namespace.servedVersion()).toBe(before);
    expect((await scene.namespace.sizes())[before ?? ""]).toBe(replicas);
  });

  it("ends well at a pause, with both versions in service, and says so in the preview", async () => {
    await scene.configure({ version: "v4", settings: settings({ steps: pausedSteps }, { stable: "v2" }) });
    const preview = await scene.stack.preview();
    expect(preview.exitCode, preview.output).toBe(0);
    expect(preview.output).toContain(
      'end this update here, with both versions in service, until a later commit approves "office hours"',
    );
    expect(preview.output).toContain("move 50 % of traffic to the candidate (in a later update)");
    expect(preview.output).toMatch(/goes on from there with approved: \{ "office hours": "web-[0-9a-f]{8}" \}/);

    const load = await scene.load({ ratePerSecond });
    const result = await scene.stack.up();
    const report = await load.stop();
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    const sizes = await scene.namespace.sizes();
    expect(Object.values(sizes).toSorted()).toEqual([2, 6]);
    expect(await scene.cutoverOutputs()).toMatchObject({
      resting: "office hours",
      weights: Object.fromEntries(Object.entries(sizes).map(([version, size]) => [version, (size / replicas) * 100])),
    });
  });

  it("does nothing at the pause as long as nobody approves it", async () => {
    const { exitCode, output } = await scene.stack.preview();
    expect(exitCode, output).toBe(0);
    expect(output).not.toMatch(/\((create|update|replace|delete)\)/);
    expect(Object.values(await scene.namespace.sizes()).toSorted()).toEqual([2, 6]);
  });

  it("goes on from the pause once a commit approves it, and keeps only the new version", async () => {
    const approved = { "office hours": await scene.candidate() };
    await scene.configure({ version: "v4", settings: settings({ steps: pausedSteps, approved }, { stable: "v2" }) });
    const preview = await scene.stack.preview();
    expect(preview.output).toContain("move 25 % of traffic to the candidate (done before)");

    const load = await scene.load({ ratePerSecond });
    const result = await scene.stack.up();
    const later = await release("v4");
    const report = await load.stop();
    expect(result.exitCode, result.output).toBe(0);
    expect(later.exitCode, later.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    const [only = ""] = await scene.namespace.versions();
    expect(await scene.namespace.sizes()).toEqual({ [only]: replicas });
    expect((await scene.journal("v4")).map(({ fact }) => fact.kind)).toContain("planAdapted");
  });

  it("is given up at a pause by declaring the former version alone: it has everything again, and the candidate goes", async () => {
    const stable = await scene.namespace.servedVersion();
    // What was approved for the version before approves nothing here.
    const approved = { "office hours": stable };
    const paused = await release("v5", { steps: pausedSteps, approved }, { settings: { stable: "v4" } });
    expect(paused.exitCode, paused.output).toBe(0);
    expect(await scene.namespace.versions()).toHaveLength(2);

    const load = await scene.load({ ratePerSecond });
    const result = await release("v4");
    const report = await load.stop();
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    expect(await scene.namespace.sizes()).toEqual({ [stable ?? ""]: replicas });
  });

  it("refuses a pause whose stable version is not declared, before anything is moved", async () => {
    const before = await scene.namespace.sizes();
    const result = await release("v6", { steps: pausedSteps });
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain(
      "is in service but not declared as stable, so it would be deleted with traffic on it",
    );
    expect(await scene.namespace.servedVersion()).toBe(Object.keys(before)[0]);
  });

  it("compares both versions side by side, and refuses a slower one before it has any traffic", async () => {
    const experiment = [{ kind: "experiment", durationMs: 10_000 }];
    const load = await scene.load({ ratePerSecond });
    const result = await release("v7", { steps: experiment }, { behaviour: { LATENCY_MS: "40" } });
    const report = await load.stop();
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain("The candidate is higher than the baseline");
    expect(report.badRequests).toEqual([]);
    expect(Object.keys(report.byVersion)).toEqual(["v4"]);
  });

  it("scales what runs when the declared number changes, and moves nothing", async () => {
    const load = await scene.load({ ratePerSecond });
    const result = await release("v4", {}, { settings: { replicas: "5" } });
    const report = await load.stop();
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    expect(Object.values(await scene.namespace.sizes())).toEqual([5]);
  });
});
