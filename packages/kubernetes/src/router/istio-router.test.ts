import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ObjectRouter } from "./object-router.ts";
import { openScene, soon, type RouterScene } from "./router-scene.fake.ts";
import { istioSubject } from "./router-subjects.fake.ts";
import { openFakeWorld, type FakeRouterWorld } from "./router-world.fake.ts";

const path = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/web";

describe("the Istio router", { timeout: 60_000 }, () => {
  let world: FakeRouterWorld;
  let scene: RouterScene;
  let router: ObjectRouter;
  const spec = () => world.fake.objects.get(path)?.spec;

  beforeEach(async () => {
    world = await openFakeWorld();
    scene = await openScene(istioSubject, world);
    router = scene.router;
  });
  afterEach(() => world.close());

  it("answers by itself while there is nobody to serve, because Istio takes no route without an end", async () => {
    await scene.begin("t1");
    expect(spec()?.["http"]).toEqual([{ match: [{ uri: { prefix: "/" } }], directResponse: { status: 503 } }]);
  });

  it("asks for headers in lower case, first of all, and copies requests of the last route", async () => {
    await scene.serve(scene.old);
    const marker = await scene.begin("t1");
    const matches = [{ header: "X-Canary", prefix: "v2" }];
    const weights = { [scene.old]: 75, [scene.next]: 25 };
    await router.shift({ weights, matches, mirrorPercent: 12.5 }, marker, soon());
    const port = { number: 80 };
    expect(spec()).toEqual({
      hosts: ["web.example"],
      gateways: ["gateways/public", "mesh"],
      http: [
        {
          match: [{ uri: { prefix: "/" }, headers: { "x-canary": { prefix: "v2" } } }],
          route: [{ destination: { host: scene.next, port }, weight: 100 }],
        },
        {
          match: [{ uri: { prefix: "/" } }],
          route: [
            { destination: { host: scene.old, port }, weight: 75 },
            { destination: { host: scene.next, port }, weight: 25 },
          ],
          mirror: { host: scene.next, port },
          mirrorPercentage: { value: 12.5 },
        },
      ],
    });
  });

  it.each([
    [[{ destination: { host: "web-old" } }], { "web-old": 100 }],
    [[{ destination: { host: "web-old.shop" }, weight: 0 }], { "web-old": 100 }],
    [[{ destination: { host: "web-old.shop.svc.cluster.local" } }], { "web-old": 100 }],
    [[{ destination: { host: "web-old.other.svc.cluster.local" } }], { "web-old.other.svc.cluster.local": 100 }],
    [[{ destination: { host: "web", subset: "v1" } }], { "web subset v1": 100 }],
    [
      [
        { destination: { host: "web-old" }, weight: 3 },
        { destination: { host: "web-new" }, weight: 1 },
        { destination: { host: "rest" } },
      ],
      { "web-old": 75, "web-new": 25 },
    ],
  ])("reads %j, as somebody wrote it, as %j", async (route, weights) => {
    await scene.serve(scene.old);
    await scene.patch({ spec: { http: [{ route }] } });
    expect((await router.observe(soon())).weights).toEqual(weights);
  });

  it("takes out what else was done to its routes by hand", async () => {
    await scene.serve(scene.old);
    const http = [
      {
        match: [{ uri: { prefix: "/" } }],
        route: [{ destination: { host: scene.old, port: { number: 80 } }, weight: 100 }],
      },
    ];
    const marker = await scene.begin("t1");
    await scene.patch({ spec: { http: http.map((route) => ({ ...route, fault: { abort: { httpStatus: 500 } } })) } });
    await router.shift({ weights: { [scene.old]: 100 } }, marker, soon());
    expect(spec()?.["http"]).toEqual(http);
  });

  it("refuses a pattern that is longer than Istio takes", async () => {
    await scene.serve(scene.old);
    const marker = await scene.begin("t1");
    const matches = [{ header: "x", regex: "a".repeat(1_025) }];
    await expect(router.shift({ weights: { [scene.old]: 100 }, matches }, marker, soon())).rejects.toThrow(
      /patterns of 1024 characters/,
    );
  });
});
