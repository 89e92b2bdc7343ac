import type { Marker } from "@bascule/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withAutoscaler } from "./autoscaler.ts";
import { startFakeKubernetesApi, type FakeKubernetesApi } from "./kubernetes-api.fake.ts";
import { versionSelector } from "./labels.ts";
import { objectRouter, type ObjectRouter } from "./router/object-router.ts";
import { serviceTraffic } from "./router/service-router.ts";

const path = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web";
const small = { minReplicas: 2, maxReplicas: 6 };
const shape = {
  kind: "service" as const,
  name: "web",
  namespace: "shop",
  type: "ClusterIP" as const,
  ports: [{ name: "main", port: 80, targetPort: 8080 }],
  labels: {},
  annotations: {},
};
const soon = () => AbortSignal.timeout(5_000);

let fake: FakeKubernetesApi;

beforeEach(async () => {
  fake = await startFakeKubernetesApi();
});
afterEach(() => fake.close());

function routerWith(spec: Readonly<Record<string, unknown>> | undefined): ObjectRouter {
  const base = objectRouter(fake.api, "web", serviceTraffic("web", shape), async () => true);
  return withAutoscaler(base, fake.api, { release: "web", namespace: "shop", spec });
}

const markerOf = (transaction: string, candidate: string, origin: Marker["origin"] = null): Marker => ({
  transaction,
  candidate,
  origin,
  step: 0,
  fencing: 1,
  owner: { host: "here", processId: 42, processStart: "boot/1" },
  leaseUntilMs: 1_000,
});

const scaled = () => fake.objects.get(path)?.spec;
const scaleTargetRef = (name: string) => ({ apiVersion: "apps/v1", kind: "Deployment", name });

/** Takes over the router for a candidate, as a transaction does. */
async function claim(router: ObjectRouter, transaction: string, candidate: string): Promise<Marker> {
  const { exists, weights, shape: notes, marker: found } = await router.observe(soon());
  const marker = markerOf(transaction, candidate, exists ? { weights, shape: notes } : null);
  await router.claim(marker, { marker: found, weights: exists ? weights : null }, soon());
  return marker;
}

async function released(router: ObjectRouter, transaction: string, candidate: string): Promise<void> {
  const marker = await claim(router, transaction, candidate);
  await router.shift({ weights: { [candidate]: 100 } }, marker, soon());
  await router.release(marker, undefined, soon());
}

describe("the autoscaler of a release", () => {
  it("follows the version that serves", async () => {
    const router = routerWith(small);
    await released(router, "t1", "web-1");
    expect(scaled()).toMatchObject({ ...small, scaleTargetRef: scaleTargetRef("web-1") });
    await released(router, "t2", "web-2");
    expect(scaled()).toMatchObject({ ...small, scaleTargetRef: scaleTargetRef("web-2") });
  });

  it("is as it was again when traffic goes back", async () => {
    await released(routerWith(small), "t1", "web-1");
    const larger = routerWith({ minReplicas: 3, maxReplicas: 30 });
    const marker = await claim(larger, "t2", "web-2");
    await larger.shift({ weights: { "web-2": 100 } }, marker, soon());
    expect(scaled()).toMatchObject({ maxReplicas: 30 });
    await larger.restore(marker.origin, marker, soon());
    expect(scaled()).toMatchObject({ ...small, scaleTargetRef: scaleTargetRef("web-1") });
    expect(fake.objects.get("/api/v1/namespaces/shop/services/web")?.spec?.["selector"]).toEqual(
      versionSelector("web", "web-1"),
    );
  });

  it("is gone again when there was none before", async () => {
    await released(routerWith(undefined), "t1", "web-1");
    const router = routerWith(small);
    const marker = await claim(router, "t2", "web-2");
    await router.shift({ weights: { "web-2": 100 } }, marker, soon());
    expect(scaled()).toBeDefined();
    await router.restore(marker.origin, marker, soon());
    expect(scaled()).toBeUndefined();
  });

  it("goes with the first version that is not accepted, and with the release", async () => {
    const router = routerWith(small);
    const marker = await claim(router, "t1", "web-1");
    await router.shift({ weights: { "web-1": 100 } }, marker, soon());
    await router.restore(null, marker, soon());
    expect(scaled()).toBeUndefined();

    await released(router, "t2", "web-1");
    expect(scaled()).toBeDefined();
    await router.remove(soon());
    expect(scaled()).toBeUndefined();
  });

  it("goes when it is declared no more, and somebody else's stays", async () => {
    await released(routerWith(small), "t1", "web-1");
    await released(routerWith(undefined), "t2", "web-2");
    expect(scaled()).toBeUndefined();

    fake.seed(path, { kind: "HorizontalPodAutoscaler", metadata: { labels: { theirs: "yes" } }, spec: {} });
    await released(routerWith(undefined), "t3", "web-1");
    expect(scaled()).toBeDefined();
  });

  it("is not written by a run that is late", async () => {
    const router = routerWith(small);
    await released(router, "t1", "web-1");
    const late = await claim(router, "t2", "web-2");
    await router.claim({ ...late, transaction: "t3", fencing: 2 }, { marker: late, weights: { "web-1": 100 } }, soon());
    await expect(router.shift({ weights: { "web-2": 100 } }, late, soon())).rejects.toThrow(/transaction t3/);
    expect(scaled()).toMatchObject({ scaleTargetRef: scaleTargetRef("web-1") });
  });
});
