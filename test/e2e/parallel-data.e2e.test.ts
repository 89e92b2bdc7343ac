import { createProgress, images } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { mostBadAnswers } from "./harness/exposure.ts";
import { factsOf } from "./harness/facts.ts";
import { placeOrders, storeAt, type OrdersReport } from "./harness/orders.ts";
import { openScene, type ReleaseOptions, type Scene } from "./harness/scene.ts";

const ratePerSecond = 100;
const readOnlyLimitMs = 30_000;

const readOnlySchema = z.looseObject({ kind: z.literal("readOnlyMoment"), durationMs: z.number() });
const hookSchema = z.looseObject({ kind: z.literal("hookRan"), hook: z.string() });
const measuredSchema = z.looseObject({
  kind: z.literal("measured"),
  measurement: z.looseObject({ probe: z.string(), verdict: z.string(), message: z.string() }),
});

type StoreName = "first" | "second";

describe("the data of a parallel release, by a real pulumi up on a real cluster", () => {
  let scene: Scene;
  let serving = "";
  /** All orders that were ever taken. */
  const taken: string[] = [];

  const settings = (store: StoreName, plan: object = {}) => ({
    image: images.node,
    store,
    stable: "",
    readOnlyPauseMs: "0",
    maximumLagMs: "5000",
    lagAttempts: "20",
    plan: JSON.stringify({ mirror: { image: images.node, durationMs: 3_000 }, readOnlyLimitMs, ...plan }),
  });
  const release = (version: string, store: StoreName, plan: object = {}, options: Partial<ReleaseOptions> = {}) =>
    scene.release({ version, ...options, settings: { ...settings(store, plan), ...options.settings } });
  const storeOf = async (name: StoreName) => storeAt(await scene.namespace.serviceAddress(`store-${name}`));
  const ordersFor = async (version: string) =>
    placeOrders(`http://${await scene.namespace.serviceAddress()}/orders`, version);
  const hooksOf = async (version: string) => factsOf(await scene.journal(version), hookSchema).map(({ hook }) => hook);
  /** Remembers what was taken, and proves that nothing of it is lost. */
  const keepAll = async (report: OrdersReport, name: StoreName) => {
    taken.push(...report.taken);
    const kept = await (await storeOf(name)).orders();
    expect(taken.filter((order) => !kept.has(order))).toEqual([]);
    expect(kept.size, "and there is nothing that nobody has ordered").toBe(taken.length);
  };

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress(), project: "orders" });
    const first = await release("v1", "first");
    expect(first.exitCode, first.output).toBe(0);
    serving = (await scene.namespace.servedVersion()) ?? "";
    const orders = await ordersFor("v1");
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await keepAll(await orders.stop(), "first");
  });
  afterAll(() => scene.close());

  it("is with a good v2 in the end, whole, after a moment in which nobody could write", async () => {
    const load = await scene.load({ ratePerSecond });
    const orders = await ordersFor("v2");
    const result = await release("v2", "second");
    const [report, placed] = await Promise.all([load.stop(), orders.stop()]);
    expect(result.exitCode, result.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    expect(placed.failed).toEqual([]);
    await keepAll(placed, "second");
    serving = (await scene.namespace.servedVersion()) ?? "";
    expect(await scene.namespace.mirrorObjects()).toEqual([]);
  });

  it("has in the journal how far behind it was, and for how long nobody could write", async () => {
    const entries = await scene.journal("v2");
    const lags = factsOf(entries, measuredSchema).filter(({ measurement }) => measurement.probe === "lag");
    expect(lags.length).toBeGreaterThan(0);
    const last = lags.at(-1)?.measurement;
    expect(last?.verdict).toBe("pass");
    expect(last?.message).toMatch(/^the candidate's data is \d+ ms behind, at most 5000 ms may be$/);
    const moments = factsOf(entries, readOnlySchema);
    expect(moments).toHaveLength(1);
    expect(moments[0]?.durationMs).toBeGreaterThan(0);
    expect(moments[0]?.durationMs).toBeLessThanOrEqual(readOnlyLimitMs);
    expect(await hooksOf("v2")).toEqual(["data-start", "data-cut-over", "data-reverse", "data-finish"]);
    expect(await (await storeOf("second")).state()).toMatchObject({ readOnly: false, replica: null });
  });

  it("comes back with all that was written meanwhile when v3 fails some time after the switch", async () => {
    const load = await scene.load({ ratePerSecond });
    const orders = await ordersFor("v3");
    const result = await release("v3", "first", { holdMs: 30_000 }, { behaviour: { FAIL_AFTER_MS: "4000" } });
    const [report, placed] = await Promise.all([load.stop(), orders.stop()]);
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toContain(`all is as it was: ${serving} 100 %, verified`);
    expect(report.byVersion["v3"], "traffic had moved").toBeGreaterThan(0);
    expect(report.lost).toBe(0);
    expect(report.bad).toBeGreaterThan(0);
    expect(report.bad).toBeLessThanOrEqual(mostBadAnswers(await scene.journal("v3"), ratePerSecond));
    const written = await (await storeOf("first")).orders();
    const meanwhile = placed.taken.filter((order) => written.has(order));
    expect(meanwhile.length, "orders were taken by v3").toBeGreaterThan(0);
    await keepAll(placed, "second");
    expect((await hooksOf("v3")).slice(-2)).toEqual(["data-go-back", "data-stop"]);
    expect(await (await storeOf("second")).state()).toMatchObject({ readOnly: false, replica: null });
  });

  it("is not cut over while it is behind", async () => {
    const orders = await ordersFor("v4");
    const tight = { maximumLagMs: "0", lagAttempts: "2" };
    const result = await release("v4", "first", {}, { settings: tight });
    const placed = await orders.stop();
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toMatch(/lag: the candidate's data is \d+ ms behind, at most 0 ms may be/);
    expect(placed.failed).toEqual([]);
    expect(placed.refused, "nobody was kept from writing").toBe(0);
    await keepAll(placed, "second");
    expect(await hooksOf("v4")).toEqual(["data-start", "data-stop"]);
    expect(await (await storeOf("second")).state()).toMatchObject({ readOnly: false, replica: null });
  });

  it("can be written again when the last synchronisation takes longer than it may", async () => {
    const orders = await ordersFor("v5");
    const slow = { readOnlyPauseMs: "20000" };
    const result = await release("v5", "first", { readOnlyLimitMs: 5_000 }, { settings: slow });
    const placed = await orders.stop();
    expect(result.exitCode, result.output).not.toBe(0);
    expect(result.output).toMatch(/Nobody could write for \d+ ms, more than readOnlyLimitMs = 5000/);
    expect(placed.refused).toBeGreaterThan(0);
    expect(placed.failed).toEqual([]);
    await keepAll(placed, "second");
    expect(await scene.namespace.servedVersion()).toBe(serving);
    expect(await (await storeOf("second")).state()).toMatchObject({ readOnly: false, replica: null });
    expect(factsOf(await scene.journal("v5"), readOnlySchema)).toHaveLength(1);
  });
});
