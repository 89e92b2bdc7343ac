import type { Marker } from "@bascule/core";
import { RouterConflict } from "@bascule/engine";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ObjectRouter } from "../router/object-router.ts";
import { candidate, copies, markerOf, stable, startMirrorCluster, type MirrorCluster } from "./mirror-cluster.fake.ts";
import { mirrorName } from "./mirror-objects.ts";

const third = "web-33333333";
const name = mirrorName("web", { stable, candidate });
const service = "/api/v1/namespaces/shop/services/web";
const deployment = `/apis/apps/v1/namespaces/shop/deployments/${name}`;
const straight = { "bascule.dev/release": "web", "bascule.dev/version": stable };
const throughMirror = { "bascule.dev/release": "web", "bascule.dev/mirror-of": stable };
const toCandidate = { "bascule.dev/release": "web", "bascule.dev/version": candidate };

let cluster: MirrorCluster;
let router: ObjectRouter;

beforeEach(async () => {
  cluster = await startMirrorCluster();
  router = cluster.open();
});
afterEach(() => {
  cluster.close();
});

const soon = () => AbortSignal.timeout(10_000);

/** Claims the Service as an update does. */
async function begin(transaction: string, change: Partial<Marker> = {}): Promise<Marker> {
  const { weights, shape, marker: found, memory } = await router.observe(soon());
  const origin = { weights: { ...weights }, shape, ...(memory?.rest ? { leavesRest: true as const } : {}) };
  const marker = markerOf(transaction, { origin, fencing: (found?.fencing ?? 0) + 1, ...change });
  const rests = memory?.rest ? { rest: memory.rest } : {};
  await router.claim(marker, { marker: found, weights, ...rests }, soon());
  return marker;
}

const rest = { candidate, pause: "look", origin: { [stable]: 100 }, taken: "0", undo: [] };

describe("a Service whose requests are copied", { timeout: 60_000 }, () => {
  it("is led to a mirror, and counts as serving the version behind it", async () => {
    await router.shift(copies(25), await begin("t1"), soon());
    expect(cluster.selector()).toEqual(throughMirror);
    expect((await router.observe(soon())).weights).toEqual({ [stable]: 100 });
    expect(cluster.mirrorObjects()).toEqual([
      expect.stringMatching(new RegExp(`^ConfigMap ${name}-[0-9a-f]{8}$`)),
      `Deployment ${name}`,
      `PodDisruptionBudget ${name}`,
      `Service ${name}-new`,
      `Service ${name}-old`,
    ]);
  });

  it("is led there only when every Pod of the mirror is ready", async () => {
    cluster.becomesReady = false;
    const marker = await begin("t1");
    const shifting = router.shift(copies(25), marker, soon());
    await untilWritten(deployment);
    expect(cluster.selector()).toEqual(straight);
    cluster.becomesReady = true;
    cluster.fake.onChange?.({ method: "PUT", path: deployment });
    await shifting;
    expect(cluster.selector()).toEqual(throughMirror);
  });

  it("stays where it is when the mirror does not come to be ready, and the error says why", async () => {
    cluster.becomesReady = false;
    router = cluster.open({ readyLimitMs: 300 });
    const shifting = router.shift(copies(25), await begin("t1"), soon());
    await expect(shifting).rejects.toThrow(
      `The mirror shop/${name} was not ready within 0.3 s: 0 of 2 Pods are; the other waits: ImagePullBackOff no such image`,
    );
    expect(cluster.selector()).toEqual(straight);
  });

  it("is led away first, and then the mirror is told to end while it still reaches the versions", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    cluster.drains = false;
    const writes = cluster.fake.writes.length;
    await router.shift({ weights: { [candidate]: 100 } }, { ...marker, step: 1 }, soon());
    expect(cluster.fake.writes.slice(writes)).toEqual([
      { method: "PUT", path: service },
      { method: "DELETE", path: deployment },
    ]);
    expect(cluster.selector()).toEqual(toCandidate);
    expect(cluster.mirrorObjects()).toContain(`Service ${name}-old`);
  });

  it("has nothing left of the mirror in the end, after its last Pod has ended", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    cluster.drains = false;
    await router.shift({ weights: { [candidate]: 100 } }, { ...marker, step: 1 }, soon());
    const releasing = router.release(marker, undefined, soon());
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(cluster.mirrorObjects()).toContain(`Service ${name}-old`);
    cluster.drains = true;
    cluster.fake.onChange?.({ method: "DELETE", path: deployment });
    await releasing;
    expect(cluster.mirrorObjects()).toEqual([]);
    expect((await router.observe(soon())).marker).toBeNull();
  });

  it("may rest there: the mirror stays when the update ends, and the next one goes on with it", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    await router.release(marker, { history: [stable], rest }, soon());
    expect(cluster.selector()).toEqual(throughMirror);
    const before = cluster.fake.objects.get(deployment)?.metadata.uid;
    const next = await begin("t2");
    await router.shift(copies(100), next, soon());
    expect(cluster.fake.objects.get(deployment)?.metadata.uid).toBe(before);
    expect(cluster.selector()).toEqual(throughMirror);
  });

  it("keeps the mirror that it rests at when another update gives up before it has moved anything", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    await router.release(marker, { history: [stable], rest }, soon());
    const next = await begin("t2", { candidate: third });
    await router.release(next, undefined, soon());
    expect(cluster.selector()).toEqual(throughMirror);
    expect(cluster.mirrorObjects()).toContain(`Deployment ${name}`);
  });

  it("gets another share by other Pods of the same mirror", async () => {
    const marker = await begin("t1");
    await router.shift(copies(10), marker, soon());
    await router.shift(copies(50), { ...marker, step: 1 }, soon());
    expect(cluster.mirrorObjects().filter((each) => each.startsWith("Deployment"))).toEqual([`Deployment ${name}`]);
    expect(JSON.stringify(cluster.fake.objects.get(deployment)?.spec)).toContain(String.raw`\"sharePercent\":50`);
  });

  it("is led to the mirror of another candidate before that of the former one ends", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    await router.release(marker, { history: [stable], rest }, soon());
    cluster.fake.seed("/api/v1/namespaces/shop/pods/third", {
      kind: "Pod",
      metadata: { labels: { "bascule.dev/release": "web", "bascule.dev/version": third } },
      status: { podIP: "10.244.0.9", conditions: [{ type: "Ready", status: "True" }] },
    });
    const next = await begin("t2", { candidate: third });
    await router.shift(copies(100), next, soon());
    const other = mirrorName("web", { stable, candidate: third });
    expect(cluster.mirrorObjects().filter((each) => each.startsWith("Deployment"))).toEqual([`Deployment ${other}`]);
    await router.release(next, { history: [stable], rest }, soon());
    expect(cluster.mirrorObjects().every((each) => each.includes(other))).toBe(true);
  });
});

describe("going back from a mirror", { timeout: 60_000 }, () => {
  it("leads the Service straight to the stable version, and the mirror ends afterwards", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    await router.restore(marker.origin, marker, soon());
    expect(cluster.selector()).toEqual(straight);
    expect(cluster.mirrorObjects()).not.toContain(`Deployment ${name}`);
    await router.release(marker, undefined, soon());
    expect(cluster.mirrorObjects()).toEqual([]);
  });

  it("does so too from where it had rested", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    await router.release(marker, { history: [stable], rest }, soon());
    const next = await begin("t2");
    await router.restore(next.origin, next, soon());
    expect(cluster.selector()).toEqual(straight);
  });

  it("depends on nothing but the Service: a mirror that cannot be removed is left for the next end", async () => {
    const marker = await begin("t1");
    await router.shift(copies(100), marker, soon());
    cluster.fake.intercept = ({ path }) => (path.includes("/deployments") ? "serverError" : undefined);
    await router.restore(marker.origin, marker, AbortSignal.timeout(1_500));
    expect(cluster.selector()).toEqual(straight);
    expect(cluster.mirrorObjects()).toContain(`Deployment ${name}`);
    cluster.fake.intercept = undefined;
    await router.release(marker, undefined, soon());
    expect(cluster.mirrorObjects()).toEqual([]);
  });

  it("is done by the next run when the one that had begun is gone, and nothing of its mirror is left", async () => {
    const abandoned = await begin("t1");
    await router.shift(copies(100), abandoned, soon());
    const marker = await begin("t2", { origin: abandoned.origin });
    await router.restore(marker.origin, marker, soon());
    await router.shift({ weights: { [candidate]: 100 } }, marker, soon());
    await router.release(marker, undefined, soon());
    expect(cluster.selector()).toEqual(toCandidate);
    expect(cluster.mirrorObjects()).toEqual([]);
  });

  it("and removing the release leaves nothing", async () => {
    await router.shift(copies(100), await begin("t1"), soon());
    await router.remove(soon());
    expect(cluster.selector()).toBeUndefined();
    expect(cluster.mirrorObjects()).toEqual([]);
  });
});

describe("a run that is late", { timeout: 60_000 }, () => {
  it("makes no mirror once another one has the Service", async () => {
    const late = await begin("t1");
    await begin("t2");
    await expect(router.shift(copies(100), late, soon())).rejects.toThrow(RouterConflict);
    expect(cluster.mirrorObjects()).toEqual([]);
  });

  it("ends no mirror once another one has the Service", async () => {
    const late = await begin("t1");
    await router.shift(copies(100), late, soon());
    await begin("t2");
    await expect(router.shift({ weights: { [candidate]: 100 } }, late, soon())).rejects.toThrow(RouterConflict);
    await expect(router.release(late, undefined, soon())).rejects.toThrow(RouterConflict);
    expect(cluster.selector()).toEqual(throughMirror);
    expect(cluster.mirrorObjects()).toContain(`Deployment ${name}`);
  });

  it("has a write refused that was under way when another one claimed the Service", async () => {
    const late = await begin("t1");
    await router.shift(copies(10), late, soon());
    let claimed: Promise<Marker> | undefined;
    let isOver: () => void = () => {};
    const over = new Promise<void>((resolve) => (isOver = resolve));
    cluster.fake.intercept = async ({ method, path }) => {
      if (path !== deployment || method !== "PUT" || claimed) return undefined;
      // The write has been sent, and is held on its way while somebody else takes over.
      claimed = begin("t2");
      await claimed;
      isOver();
      return undefined;
    };
    const shifting = router.shift(copies(50), { ...late, step: 1 }, soon());
    await over;
    await expect(shifting).rejects.toThrow(RouterConflict);
    expect(JSON.stringify(cluster.fake.objects.get(deployment)?.spec)).toContain(String.raw`\"sharePercent\":10`);
  });
});

describe("a mirror", { timeout: 60_000 }, () => {
  it("takes no object that belongs to something else", async () => {
    cluster.fake.seed(deployment, {
      kind: "Deployment",
      spec: { replicas: 1, template: { metadata: { labels: { app: "theirs" } } } },
    });
    await expect(router.shift(copies(100), await begin("t1"), soon())).rejects.toThrow(
      `The Deployment shop/${name} is not of the release web: rename it`,
    );
    expect(cluster.selector()).toEqual(straight);
  });

  it("cannot stand before what is no version of the release", async () => {
    const marker = await begin("t1");
    const foreign = 'selector {"app":"old"}';
    cluster.fake.seed("/api/v1/namespaces/shop/pods/old", {
      kind: "Pod",
      metadata: { labels: { app: "old" } },
      status: { podIP: "10.244.0.8", conditions: [{ type: "Ready", status: "True" }] },
    });
    await expect(router.shift({ weights: { [foreign]: 100 }, mirrorPercent: 100 }, marker, soon())).rejects.toThrow(
      "cannot be copied, because that is no version of web: release once without a mirror",
    );
    expect(cluster.mirrorObjects()).toEqual([]);
  });

  it("costs a release that copies nothing two looks and no write", async () => {
    const marker = await begin("t1");
    const writes = cluster.fake.writes.length;
    await router.shift({ weights: { [candidate]: 100 } }, marker, soon());
    await router.release(marker, undefined, soon());
    expect(cluster.fake.writes.slice(writes).every(({ path }) => path === service)).toBe(true);
  });
});

async function untilWritten(path: string): Promise<void> {
  while (!cluster.fake.objects.has(path)) await new Promise((resolve) => setTimeout(resolve, 10));
}
