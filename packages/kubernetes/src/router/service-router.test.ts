import type { Marker } from "@bascule/core";
import { RouterConflict } from "@bascule/engine";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startFakeServiceApi, type FakeServiceApi } from "./service-api.fake.ts";
import { serviceRouter, type ServiceRouter } from "./service-router.ts";
import type { ServiceShape } from "./service-shape.ts";

const shape: ServiceShape = {
  name: "web",
  namespace: "shop",
  type: "ClusterIP",
  ports: [{ name: "main", port: 80, targetPort: 8080 }],
  labels: { team: "blue" },
  annotations: { contact: "ada" },
};

let fake: FakeServiceApi;
let router: ServiceRouter;
const soon = () => AbortSignal.timeout(5_000);

const markerOf = (transaction: string, origin: Marker["origin"] = null, fencing = 1): Marker => ({
  transaction,
  candidate: "web-new",
  origin,
  step: 0,
  fencing,
  owner: { host: "here", processId: 42, processStart: "boot/1" },
  leaseUntilMs: 1_000,
});

const selectorOf = (version: string) => ({ "bascule.dev/release": "web", "bascule.dev/version": version });
const annotations = () => fake.service?.metadata.annotations ?? {};

/** A Service that already sends its traffic to a version, claimed by transaction `t1`. */
async function claimedService(version = "web-old"): Promise<Marker> {
  fake.ready.add("web-old").add("web-new");
  const first = markerOf("t0");
  await router.claim(first, null, soon());
  await router.shift({ [version]: 100 }, first, soon());
  await router.release(first, soon());
  const { weights, shape: origin } = await router.observe(soon());
  const marker = markerOf("t1", { weights, shape: origin });
  await router.claim(marker, null, soon());
  return marker;
}

beforeEach(async () => {
  fake = await startFakeServiceApi();
  router = serviceRouter(fake.api, "web", shape);
});
afterEach(() => {
  fake.close();
});

describe("the Service router", () => {
  it("sees that there is no Service yet", async () => {
    expect(await router.observe(soon())).toMatchObject({ exists: false, weights: {}, marker: null });
  });

  it("makes the Service, without traffic, when it claims what is not there", async () => {
    await router.claim(markerOf("t1"), null, soon());
    expect(fake.service?.spec.selector).toEqual({});
    expect(await router.observe(soon())).toMatchObject({
      exists: true,
      weights: {},
      served: false,
      marker: { transaction: "t1" },
    });
  });

  it("refuses to claim what another run has, naming it", async () => {
    await claimedService();
    const attempt = router.claim(markerOf("t2"), null, soon());
    await expect(attempt).rejects.toThrow(RouterConflict);
    await expect(router.claim(markerOf("t2"), null, soon())).rejects.toThrow(/transaction t1 of process 42 on here/);
  });

  it("takes over the claim of a run that it was told is gone, even when that one had renewed its lease", async () => {
    const gone = await claimedService();
    await router.renew({ ...gone, leaseUntilMs: 2_000 }, soon());
    await router.claim(markerOf("t2", gone.origin, 2), gone, soon());
    expect((await router.observe(soon())).marker).toMatchObject({ transaction: "t2", fencing: 2 });
  });

  it("changes traffic, shape and marker in one write", async () => {
    const marker = await claimedService();
    fake.requests.length = 0;
    await router.shift({ "web-new": 100 }, { ...marker, step: 1 }, soon());
    expect(fake.requests.filter((method) => method !== "GET")).toEqual(["PUT"]);
    expect(fake.service?.spec.selector).toEqual(selectorOf("web-new"));
    expect(await router.observe(soon())).toMatchObject({ weights: { "web-new": 100 }, marker: { step: 1 } });
    expect(await router.readShape(soon())).toEqual(shape);
  });

  it("keeps the address and what others wrote on the Service", async () => {
    const marker = await claimedService();
    const service = fake.service;
    if (service) service.metadata["labels"] = { ...(service.metadata["labels"] as object), theirs: "yes" };
    await router.shift({ "web-new": 100 }, marker, soon());
    expect(fake.service?.spec.clusterIP).toBe("10.96.0.7");
    expect(fake.service?.metadata["labels"]).toMatchObject({ theirs: "yes", team: "blue" });
  });

  it("moves no traffic to a version of which no Pod is ready", async () => {
    const marker = await claimedService();
    fake.ready.delete("web-new");
    await expect(router.shift({ "web-new": 100 }, marker, soon())).rejects.toThrow(/No Pod of web-new is ready/);
    expect(fake.service?.spec.selector).toEqual(selectorOf("web-old"));
  });

  it("refuses to split traffic", async () => {
    const marker = await claimedService();
    await expect(router.shift({ "web-old": 50, "web-new": 50 }, marker, soon())).rejects.toThrow(/one version/);
  });

  it.each(["serverError", "loseAnswerAfterApplying", "changedInBetween"] as const)("gets through %s", async (fault) => {
    const marker = await claimedService();
    fake.fail("PUT", fault);
    fake.fail("GET", "serverError");
    await router.shift({ "web-new": 100 }, marker, soon());
    expect(fake.service?.spec.selector).toEqual(selectorOf("web-new"));
  });

  it("asks again when the API server hangs, and gives up in time when it never answers", async () => {
    const marker = await claimedService();
    fake.fail("GET", "hang");
    await router.shift({ "web-new": 100 }, marker, soon());
    for (let count = 0; count < 10; count++) fake.fail("GET", "hang");
    await expect(router.observe(AbortSignal.timeout(300))).rejects.toThrow(/did not answer in time/);
  }, 15_000);

  it.each([
    ["shift", (marker: Marker) => router.shift({ "web-new": 100 }, marker, soon())],
    ["restore", (marker: Marker) => router.restore(marker.origin, marker, soon())],
    ["renew", (marker: Marker) => router.renew(marker, soon())],
    ["release", (marker: Marker) => router.release(marker, soon())],
  ])("lets no late writer %s once another run took over", async (_what, write) => {
    const late = await claimedService();
    await router.claim(markerOf("t2", late.origin, 2), late, soon());
    const before = structuredClone(fake.service);
    await expect(write(late)).rejects.toThrow(RouterConflict);
    expect(fake.service).toEqual(before);
  });

  it("puts back traffic, ports, labels and annotations as they were", async () => {
    const marker = await claimedService();
    const before = structuredClone(fake.service);
    const changed = serviceRouter(fake.api, "web", {
      ...shape,
      ports: [{ name: "main", port: 81, targetPort: 9090 }],
      labels: { team: "red" },
    });
    await changed.shift({ "web-new": 100 }, marker, soon());
    expect(fake.service?.spec["ports"]).toMatchObject([{ port: 81 }]);
    await changed.restore(marker.origin, marker, soon());
    expect(fake.service?.spec).toEqual(before?.spec);
    expect(fake.service?.metadata["labels"]).toEqual(before?.metadata["labels"]);
    expect(annotations()["contact"]).toBe("ada");
  });

  it("makes a Service that was deleted by hand anew, at its former address", async () => {
    const marker = await claimedService();
    if (fake.service) fake.service.spec.clusterIP = "10.96.0.99";
    const { weights, shape: origin } = await router.observe(soon());
    fake.service = undefined;
    await expect(router.shift({ "web-new": 100 }, marker, soon())).rejects.toThrow(/was deleted by somebody/);
    await router.restore({ weights, shape: origin }, marker, soon());
    expect(fake.service).toMatchObject({ spec: { clusterIP: "10.96.0.99", selector: selectorOf("web-old") } });
  });

  it("removes the Service when there was none before", async () => {
    const marker = markerOf("t1");
    await router.claim(marker, null, soon());
    await router.restore(null, marker, soon());
    expect(fake.service).toBeUndefined();
  });

  it("removes marker and abort mark when it releases", async () => {
    const marker = await claimedService();
    annotations()["bascule.dev/abort"] = "ada";
    expect(await router.renew(marker, soon())).toEqual({ abortRequested: true });
    await router.release(marker, soon());
    expect(annotations()).toEqual({ contact: "ada" });
  });

  it("gives a selector that somebody wrote by hand a name, and can put it back", async () => {
    await claimedService();
    if (fake.service) {
      fake.service.spec.selector = { app: "legacy" };
      fake.service.metadata.annotations = {};
    }
    const { weights, shape: origin } = await router.observe(soon());
    expect(weights).toEqual({ 'selector {"app":"legacy"}': 100 });
    const marker = markerOf("t2", { weights, shape: origin });
    await router.claim(marker, null, soon());
    await router.shift({ "web-new": 100 }, marker, soon());
    await router.restore(marker.origin, marker, soon());
    expect(fake.service?.spec.selector).toEqual({ app: "legacy" });
  });
});
