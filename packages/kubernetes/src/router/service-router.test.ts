import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ObjectRouter } from "./object-router.ts";
import { openScene, soon, type RouterScene } from "./router-scene.fake.ts";
import { serviceSubject } from "./router-subjects.fake.ts";
import { openFakeWorld, type FakeRouterWorld } from "./router-world.fake.ts";

const path = "/api/v1/namespaces/shop/services/web";

describe("the Service router", { timeout: 60_000 }, () => {
  let world: FakeRouterWorld;
  let scene: RouterScene;
  let router: ObjectRouter;
  const service = () => world.fake.objects.get(path);

  beforeEach(async () => {
    world = await openFakeWorld();
    scene = await openScene(serviceSubject, world);
    router = scene.router;
    await scene.serve(scene.old);
  });
  afterEach(() => world.close());

  it("changes traffic, shape and marker in one write", async () => {
    const marker = await scene.begin("t1");
    world.fake.writes.length = 0;
    await scene
      .open(serviceSubject.changedShape(scene.place))
      .shift({ weights: { [scene.next]: 100 } }, { ...marker, step: 1 }, soon());
    expect(world.fake.writes).toEqual([{ method: "PUT", path }]);
    expect(service()?.spec).toMatchObject({
      selector: { "bascule.dev/release": "web", "bascule.dev/version": scene.next },
      ports: [{ port: 81, targetPort: 9_090 }],
    });
  });

  it("keeps the address and the node ports that the cluster gave out", async () => {
    const shape = { ...serviceSubject.shape(scene.place), type: "NodePort" } as const;
    const open = scene.open(shape);
    const marker = await scene.begin("t1");
    await open.shift({ weights: { [scene.old]: 100 } }, marker, soon());
    const given = service()?.spec;
    expect(given).toMatchObject({ clusterIP: "10.96.0.7", ports: [{ nodePort: 30_000 }] });
    await open.shift({ weights: { [scene.next]: 100 } }, marker, soon());
    expect(service()?.spec).toMatchObject({ clusterIP: "10.96.0.7", ports: [{ nodePort: 30_000 }] });
  });

  it("makes a Service that was deleted by hand anew at its former address", async () => {
    const marker = await scene.begin("t1");
    const { clusterIP } = service()?.spec ?? {};
    await scene.deleteByHand();
    await router.restore(marker.origin, marker, soon());
    expect(service()?.spec?.["clusterIP"]).toBe(clusterIP);
  });

  it("knows whether anybody answers behind a selector that somebody wrote by hand", async () => {
    const { patch, weights } = serviceSubject.byHand(scene.place);
    await scene.patch(patch);
    expect(await router.observe(soon())).toMatchObject({ weights, served: false });
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    world.fake.seed("/api/v1/namespaces/shop/pods/legacy-1", {
      kind: "Pod",
      metadata: { labels: { app: "legacy" } },
      status,
    });
    expect(await router.observe(soon())).toMatchObject({ weights, served: true });
  });

  it("asks again when the API server hangs, and gives up in time when it never answers", async () => {
    const marker = await scene.begin("t1");
    let hanging = 1;
    world.fake.intercept = ({ method }) => (method === "PUT" && hanging-- > 0 ? "hang" : undefined);
    await router.shift({ weights: { [scene.next]: 100 } }, marker, soon());
    expect(await scene.meet()).toEqual({ [scene.next]: 100 });
    const before = service();
    world.fake.intercept = () => "hang";
    const impatient = () => AbortSignal.timeout(300);
    await expect(router.observe(impatient())).rejects.toThrow(/did not answer in time/);
    await expect(router.shift({ weights: { [scene.old]: 100 } }, marker, impatient())).rejects.toThrow(
      /did not answer in time/,
    );
    expect(service()).toEqual(before);
  });
});
