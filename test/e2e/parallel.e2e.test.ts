import { setTimeout as sleep } from "node:timers/promises";
import { createProgress, images } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { watchVersions } from "./harness/copies.ts";
import { mostBadAnswers } from "./harness/exposure.ts";
import { factsOf } from "./harness/facts.ts";
import { openScene, type ReleaseOptions, type Scene } from "./harness/scene.ts";
import { post, type PostAnswer } from "./harness/post.ts";
import { until } from "./harness/until.ts";

const ratePerSecond = 200;
/** For an update to get so far on a busy machine. */
const copyLimitMs = 180_000;
const ignore = ["$.version", "$.host"];

const startedSchema = z.looseObject({ kind: z.literal("cutoverStarted"), candidate: z.string() });
const measuredSchema = z.looseObject({
  kind: z.literal("measured"),
  measurement: z.looseObject({ probe: z.string(), message: z.string() }),
});

describe("a parallel release, by a real pulumi up on a real cluster", () => {
  let scene: Scene;
  let stable = "";

  const settings = (mirror: object, plan: object = {}, others: Readonly<Record<string, string>> = {}) => ({
    strategy: "parallel",
    plan: JSON.stringify({ mirror: { image: images.node, durationMs: 6_000, ignore, ...mirror }, ...plan }),
    stable: "",
    ...others,
  });
  const release = (version: string, mirror: object = {}, options: Partial<ReleaseOptions> = {}) =>
    scene.release({ version, ...options, settings: settings(mirror, {}, options.settings) });
  const loads = async () => [
    await scene.load({ ratePerSecond }),
    await scene.load({ ratePerSecond: 50, connections: "keptAlive" }),
  ];
  /** The candidate of a version's change. */
  const candidateOf = async (version: string) => {
    const [started] = factsOf(await scene.journal(version), startedSchema);
    return started?.candidate ?? "";
  };

  /** Waits until copies have reached the candidate: then new connections lead to the mirror. */
  const untilCopied = (watched: ReturnType<typeof watchVersions>, version: string) =>
    until(
      "requests to be copied",
      async () => {
        await sleep(100);
        return (watched.latest().get(await candidateOf(version))?.mirrored ?? 0) > ratePerSecond;
      },
      copyLimitMs,
    );
  const postOrders = async () => {
    const url = `http://${await scene.namespace.serviceAddress()}/`;
    const answers: PostAnswer[] = [];
    for (let index = 0; index < 20; index++) answers.push(await post(url, "an order"));
    return answers;
  };

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const first = await release("v1");
    expect(first.exitCode, first.output).toBe(0);
    stable = (await scene.namespace.servedVersion()) ?? "";
  });
  afterAll(() => scene.close());

  it("copies requests to a good v2, whose answers nobody sees, and then moves all traffic without losing one", async () => {
    const watched = watchVersions(scene.namespace);
    const running = await loads();
    await scene.configure({ version: "v2", settings: settings({}) });
    const update = scene.stack.startUp();
    await untilCopied(watched, "v2");
    expect(await postOrders()).toEqual(Array(20).fill({ status: 200, version: "v1" }));
    const result = await update.done;
    const reports = await Promise.all(running.map((load) => load.stop()));
    const reached = await watched.stop();
    expect(result.exitCode, result.output).toBe(0);
    for (const report of reports) {
      expect(report.badRequests).toEqual([]);
      expect(report.ok).toBe(report.sent);
      expect(Object.keys(report.byVersion).toSorted()).toEqual(["v1", "v2"]);
    }

    const candidate = await candidateOf("v2");
    expect(await scene.namespace.servedVersion()).toBe(candidate);
    // 6 s at 200 a second on new connections alone.
    expect(reached.get(candidate)?.mirrored).toBeGreaterThan(600);
    expect(reached.get(candidate)?.posts, "no method that changes something is copied unless it is allowed").toBe(0);
    expect(reached.get(stable)?.posts).toBe(20);
    expect(await scene.namespace.mirrorObjects()).toEqual([]);
    stable = candidate;
  });

  it("tells in its journal how many answers were compared", async () => {
    const measured = factsOf(await scene.journal("v2"), measuredSchema).filter(
      ({ measurement }) => measurement.probe === "difference",
    );
    expect(measured.length).toBeGreaterThan(3);
    expect(measured.at(-1)?.measurement.message).toMatch(/^0 of \d{3,} answers differed \(0 %\)$/);
  });

  it("finds a v3 that answers differently before it gets any traffic", async () => {
    const running = await loads();
    const result = await release("v3", {}, { behaviour: { FIELDS: '{"price":"12"}' } });
    const reports = await Promise.all(running.map((load) => load.stop()));
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toMatch(
      /difference: \d+ of \d+ answers differed \([\d.]+ %\): GET \/ differs in its body at \$\.price \(string instead of absent\)/,
    );
    expect(result.output).toContain(`all is as it was: ${stable} 100 %, verified`);
    for (const report of reports) {
      expect(report.badRequests).toEqual([]);
      expect(Object.keys(report.byVersion)).toEqual(["v2"]);
    }
    expect(await scene.namespace.servedVersion()).toBe(stable);
    expect(await scene.namespace.mirrorObjects()).toEqual([]);
  });

  it("copies methods that change something when it is allowed to", async () => {
    const watched = watchVersions(scene.namespace);
    const load = await scene.load({ ratePerSecond });
    await scene.configure({ version: "v4", settings: settings({ unsafeMethods: ["POST"] }) });
    const update = scene.stack.startUp();
    await untilCopied(watched, "v4");
    expect(await postOrders()).toEqual(Array(20).fill({ status: 200, version: "v2" }));
    const result = await update.done;
    const report = await load.stop();
    const reached = await watched.stop();
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    const candidate = await candidateOf("v4");
    expect(reached.get(candidate)?.posts).toBeGreaterThan(10);
    expect(reached.get(stable)?.posts).toBe(20);
    stable = candidate;
  });

  it("puts back a v5 that fails only once it has traffic: no request lost, and no more bad answers than that time makes", async () => {
    const [fresh, kept] = await loads();
    // Its copies fail too; here that is borne, so that the switch is what is tried.
    const borne = { maximumDifferencePercent: 100 };
    const result = await release("v5", borne, { behaviour: { FAIL_BEHIND_SERVICE: "true" } });
    const [freshReport, keptReport] = [await fresh?.stop(), await kept?.stop()];
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toContain("expected status 200, measured 500");
    expect(result.output).toContain(`all is as it was: ${stable} 100 %, verified`);
    expect(freshReport?.lost).toBe(0);
    expect(keptReport?.lost).toBe(0);
    expect(freshReport?.bad, "traffic had moved").toBeGreaterThan(0);
    expect(freshReport?.bad).toBeLessThanOrEqual(mostBadAnswers(await scene.journal("v5"), ratePerSecond));
    expect(await scene.namespace.servedVersion()).toBe(stable);
    expect(await scene.namespace.mirrorObjects()).toEqual([]);
  });

  describe("that rests at a pause", () => {
    const steps = [{ kind: "pause", name: "a week", isApproved: false }];
    const resting = (plan: object = {}) => settings({}, { steps, ...plan }, { stable: "v4" });

    it("ends well with requests still copied, and loses none of them while nothing of ours runs", async () => {
      const running = await loads();
      const result = await scene.release({ version: "v6", settings: resting() });
      expect(result.exitCode, result.output).toBe(0);
      const copies = watchVersions(scene.namespace);
      await sleep(4_000);
      const before = (await copies.stop()).get(await candidateOf("v6"))?.mirrored ?? 0;
      const later = watchVersions(scene.namespace);
      await sleep(2_000);
      const after = (await later.stop()).get(await candidateOf("v6"))?.mirrored ?? 0;
      const reports = await Promise.all(running.map((load) => load.stop()));
      expect(after).toBeGreaterThan(before);
      for (const report of reports) {
        expect(report.badRequests).toEqual([]);
        expect(Object.keys(report.byVersion)).toEqual(["v4"]);
      }
      expect(await scene.namespace.versions()).toHaveLength(2);
      expect((await scene.namespace.mirrorObjects()).length).toBeGreaterThan(0);
      expect(await scene.cutoverOutputs()).toMatchObject({ resting: "a week", weights: { [stable]: 100 } });
    });

    it("does nothing as long as nobody approves it", async () => {
      const { exitCode, output } = await scene.stack.preview();
      expect(exitCode, output).toBe(0);
      expect(output).not.toMatch(/\((create|update|replace|delete)\)/);
    });

    it("is given up by declaring the former version alone: nothing of the mirror is left, and no request lost", async () => {
      const running = await loads();
      const result = await release("v4");
      const reports = await Promise.all(running.map((load) => load.stop()));
      expect(result.exitCode, result.output).toBe(0);
      for (const report of reports) expect(report.badRequests).toEqual([]);
      expect(await scene.namespace.versions()).toEqual([stable]);
      expect(await scene.namespace.servedVersion()).toBe(stable);
      expect(await scene.namespace.mirrorObjects()).toEqual([]);
    });

    it("goes on once a commit approves it, by what was compared all the while", async () => {
      const rested = await scene.release({ version: "v7", settings: resting() });
      expect(rested.exitCode, rested.output).toBe(0);
      const running = await loads();
      const result = await scene.release({
        version: "v7",
        settings: resting({ approved: { "a week": await candidateOf("v7") } }),
      });
      const reports = await Promise.all(running.map((load) => load.stop()));
      expect(result.exitCode, result.output).toBe(0);
      for (const report of reports) {
        expect(report.badRequests).toEqual([]);
        expect(Object.keys(report.byVersion).toSorted()).toEqual(["v4", "v7"]);
      }
      expect(await scene.namespace.servedVersion()).toBe(await candidateOf("v7"));
      expect(await scene.namespace.mirrorObjects()).toEqual([]);
    });
  });
});
