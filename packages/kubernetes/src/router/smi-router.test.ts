import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openScene, soon, type RouterScene } from "./router-scene.fake.ts";
import { smiSubject } from "./router-subjects.fake.ts";
import { openFakeWorld, type FakeRouterWorld } from "./router-world.fake.ts";
import { smiShapeSchema } from "./smi-router.ts";

const collection = (version: string) => `/apis/split.smi-spec.io/${version}/namespaces/shop/trafficsplits`;

describe("the SMI router", { timeout: 60_000 }, () => {
  let world: FakeRouterWorld;
  let scene: RouterScene;

  beforeEach(async () => {
    world = await openFakeWorld();
    scene = await openScene(smiSubject, world);
  });
  afterEach(() => world.close());

  it("splits by whole numbers, also where a share is none", async () => {
    await scene.serve(scene.old);
    const weights = { [scene.old]: 99.75, [scene.next]: 0.25 };
    await scene.router.shift({ weights }, await scene.begin("t1"), soon());
    expect(world.fake.objects.get(`${collection("v1alpha2")}/web`)?.spec).toEqual({
      service: "shop",
      backends: [
        { service: scene.old, weight: 99_750 },
        { service: scene.next, weight: 250 },
      ],
    });
    expect((await scene.router.observe(soon())).weights).toEqual(weights);
  });

  it("speaks the version that the mesh serves", async () => {
    const shape = smiShapeSchema.parse({ ...smiSubject.shape(scene.place), apiVersion: "v1alpha4" });
    const router = scene.open(shape);
    const marker = await scene.begin("t0");
    await router.claim({ ...marker, origin: null }, { marker: null, weights: null }, soon());
    await router.shift({ weights: { [scene.old]: 100 } }, marker, soon());
    expect(world.fake.objects.get(`${collection("v1alpha4")}/web`)).toMatchObject({
      apiVersion: "split.smi-spec.io/v1alpha4",
      spec: { backends: [{ service: scene.old, weight: 100 }] },
    });
  });

  it("splits all requests again where somebody had chosen some by hand", async () => {
    await scene.serve(scene.old);
    const marker = await scene.begin("t1");
    await scene.patch({ spec: { matches: [{ kind: "HTTPRouteGroup", name: "some" }] } });
    await scene.router.shift({ weights: { [scene.old]: 100 } }, marker, soon());
    expect(world.fake.objects.get(`${collection("v1alpha2")}/web`)?.spec).not.toHaveProperty("matches");
  });
});
