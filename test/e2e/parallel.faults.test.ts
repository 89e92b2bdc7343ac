import { createProgress, images, type RunningUpdate } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { factsOf } from "./harness/facts.ts";
import { placeOrders, storeAt } from "./harness/orders.ts";
import { providersOf } from "./harness/processes.ts";
import { openScene, type Scene } from "./harness/scene.ts";
import { until } from "./harness/until.ts";

type StoreName = "first" | "second";

const copiedSchema = z.looseObject({ kind: z.literal("trafficShifted"), mirrorPercent: z.number() });
const readOnlySchema = z.looseObject({ kind: z.literal("readOnlyMoment"), durationMs: z.number() });
const hookSchema = z.looseObject({ kind: z.literal("hookRan"), hook: z.string() });

const moments = ["while requests are copied", "while nobody can write"] as const;
const victims = ["the engine", "the engine and its provider"] as const;

const settleLimitMs = 120_000;

describe("a parallel release that is killed", () => {
  let scene: Scene;
  let number = 1;
  let serving: StoreName = "first";
  /** All orders that were ever taken. */
  const taken: string[] = [];

  const other = (store: StoreName): StoreName => (store === "first" ? "second" : "first");
  const settings = (store: StoreName, readOnlyPauseMs: number) => ({
    image: images.node,
    store,
    readOnlyPauseMs: String(readOnlyPauseMs),
    maximumLagMs: "10000",
    plan: JSON.stringify({ mirror: { image: images.node, durationMs: 3_000 }, holdMs: 1_000 }),
  });
  const storeOf = async (name: StoreName) => storeAt(await scene.namespace.serviceAddress(`store-${name}`));

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress(), project: "orders" });
    const first = await scene.release({ version: "k0", settings: settings(serving, 0) });
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  const cases = moments.flatMap((moment) => victims.map((victim) => ({ moment, victim })));

  it.each(cases)("$moment, $victim: the next update settles it, and no order is lost", async ({ moment, victim }) => {
    const before = await scene.namespace.servedVersion();
    const old = await storeOf(serving);
    const load = await scene.load({ ratePerSecond: 100 });
    const orders = placeOrders(`http://${await scene.namespace.serviceAddress()}/orders`, `k${number}`);
    const broken = { version: `k${number++}`, settings: settings(other(serving), 20_000) };

    await scene.configure(broken);
    const update = scene.stack.startUp();
    await until(
      moment,
      async () =>
        moment === "while nobody can write"
          ? (await old.state()).readOnly
          : factsOf(await scene.journal(broken.version), copiedSchema).length > 0,
      settleLimitMs,
    );
    kill(update, victim);
    const killed = await update.done;
    expect(killed.exitCode, killed.output).not.toBe(0);

    // A provider whose engine is gone puts everything back before it ends.
    await until("the providers to end", () => providersOf(scene.projectDirectory).length === 0, settleLimitMs);
    if (victim === "the engine") {
      expect(await old.state()).toMatchObject({ readOnly: false, replica: null });
      expect(await scene.namespace.servedVersion()).toBe(before);
      expect(await scene.namespace.marker()).toBeUndefined();
    }
    await scene.stack.cancel();

    const good = { version: `k${number++}`, settings: settings(other(serving), 0) };
    const next = await scene.release(good);
    const [report, placed] = await Promise.all([load.stop(), orders.stop()]);
    expect(next.exitCode, next.output).toBe(0);
    expect(report.badRequests).toEqual([]);
    expect(placed.failed).toEqual([]);

    serving = other(serving);
    taken.push(...placed.taken);
    const kept = await (await storeOf(serving)).orders();
    expect(taken.filter((order) => !kept.has(order))).toEqual([]);
    expect(kept.size).toBe(taken.length);
    expect(await (await storeOf(serving)).state()).toMatchObject({ readOnly: false, replica: null });

    expect(await scene.namespace.servedVersion()).not.toBe(before);
    expect(await scene.namespace.marker()).toBeUndefined();
    expect(await scene.namespace.mirrorObjects()).toEqual([]);
    const settledBy = victim === "the engine" ? broken.version : good.version;
    const hooks = factsOf(await scene.journal(settledBy), hookSchema).map(({ hook }) => hook);
    expect(hooks).toContain("data-stop");
    if (moment === "while nobody can write") {
      expect(hooks).toContain("data-go-back");
      expect(factsOf(await scene.journal(settledBy), readOnlySchema).length).toBeGreaterThan(0);
    }
  });
});

function kill(update: RunningUpdate, victim: (typeof victims)[number]): void {
  const providers = victim === "the engine" ? [] : update.providerProcessIds();
  // The engine first: it would tell its providers to end.
  for (const processId of [update.cliProcessId, ...providers]) process.kill(processId, "SIGKILL");
}
