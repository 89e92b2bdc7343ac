import type { Marker } from "@bascule/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { FakeRequest } from "../kubernetes-api.fake.ts";
import { candidate, copies, markerOf, stable, startMirrorCluster, type MirrorCluster } from "./mirror-cluster.fake.ts";

const straight = { "bascule.dev/release": "web", "bascule.dev/version": stable };
const toCandidate = { "bascule.dev/release": "web", "bascule.dev/version": candidate };

let cluster: MirrorCluster;

beforeEach(async () => {
  cluster = await startMirrorCluster();
});
afterEach(() => {
  cluster.close();
});

const soon = () => AbortSignal.timeout(10_000);

/** Claims the Service, as an update does that finds it free or abandoned. */
async function begin(transaction: string): Promise<Marker> {
  const router = cluster.open();
  const { weights, shape, marker: found } = await router.observe(soon());
  const origin = found ? found.origin : { weights, shape };
  const marker = markerOf(transaction, { origin, fencing: (found?.fencing ?? 0) + 1 });
  await router.claim(marker, { marker: found, weights }, soon());
  return marker;
}

/** A release that copies requests and then moves all of them. */
async function release(): Promise<void> {
  const router = cluster.open();
  const marker = await begin("t1");
  await router.shift(copies(100), marker, soon());
  await router.shift({ weights: { [candidate]: 100 } }, { ...marker, step: 1 }, soon());
  await router.release({ ...marker, step: 1 }, { history: [candidate, stable] }, soon());
}

/** What the next update does before anything else: it puts back what was abandoned. */
async function settle(): Promise<void> {
  const router = cluster.open();
  const { marker: found } = await router.observe(soon());
  const marker = await begin("t2");
  if (found) await router.restore(marker.origin, marker, soon());
  await router.release(marker, undefined, soon());
}

async function writesOfRelease(): Promise<number> {
  const writes = cluster.fake.writes.length;
  await release();
  return cluster.fake.writes.length - writes;
}

/** From the write with this number on nothing arrives any more; with `applied`, that one still does. Comes back when it is so. */
function dieAt(number: number, applied: boolean): Promise<void> {
  let count = 0;
  let isDead = false;
  return new Promise((resolve) => {
    cluster.fake.intercept = ({ method }: FakeRequest) => {
      if (isDead) {
        // What comes after the last write comes because that was done, and its answer lost.
        resolve();
        return "hang";
      }
      if (method === "GET" || ++count < number) return undefined;
      isDead = true;
      if (!applied) resolve();
      return applied ? "loseAnswer" : "hang";
    };
  });
}

describe("a run that dies at any of its writes", { timeout: 60_000 }, () => {
  it.each([
    ["before it arrives", false],
    ["after it has arrived", true],
  ])("%s leaves nothing that the next run does not put right", async (_when, applied) => {
    const total = await writesOfRelease();
    expect(total).toBeGreaterThan(10);
    for (let number = 1; number <= total; number++) {
      cluster.close();
      cluster = await startMirrorCluster();
      const dead = dieAt(number, applied);
      // The process is gone; here its promise stays open until the stand-in is closed.
      release().catch(() => {});
      await dead;
      expect(isServed(), `clients are served when it dies at write ${number}`).toBe(true);
      cluster.fake.intercept = undefined;
      await settle();
      expect([straight, toCandidate], `after write ${number}`).toContainEqual(cluster.selector());
      expect(cluster.mirrorObjects(), `after write ${number}`).toEqual([]);
    }
  });
});

/** Whether the Service picks a Pod that is ready. */
function isServed(): boolean {
  const selector = Object.entries(z.record(z.string(), z.string()).parse(cluster.selector()));
  return [...cluster.fake.objects.values()].some(
    ({ kind, metadata }) => kind === "Pod" && selector.every(([key, value]) => metadata.labels?.[key] === value),
  );
}
