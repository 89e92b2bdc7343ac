import type { Traffic } from "@bascule/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../api.ts";
import { httpRouteFeatures } from "./http-route-features.ts";
import { httpRouteShapeSchema } from "./http-route-router.ts";
import type { ObjectRouter } from "./object-router.ts";
import { markerOf, openScene, soon, type RouterScene } from "./router-scene.fake.ts";
import { httpRouteSubject } from "./router-subjects.fake.ts";
import { openFakeWorld, type FakeRouterWorld } from "./router-world.fake.ts";

const group = "/apis/gateway.networking.k8s.io/v1";
const path = `${group}/namespaces/shop/httproutes/web`;

describe("the HTTPRoute router", { timeout: 60_000 }, () => {
  let world: FakeRouterWorld;
  let scene: RouterScene;
  let router: ObjectRouter;

  const spec = () => world.fake.objects.get(path)?.spec;
  const shape = httpRouteShapeSchema.parse(httpRouteSubject.shape({ namespace: "shop", release: "web" }));
  const half = () => ({ [scene.old]: 50, [scene.next]: 50 });

  beforeEach(async () => {
    world = await openFakeWorld();
    scene = await openScene(httpRouteSubject, world);
    router = scene.router;
    await scene.serve(scene.old);
  });
  afterEach(() => world.close());

  it("asks for a share of the copies only where it is not all of them, because that is a feature of its own", async () => {
    const marker = await scene.begin("t1");
    const mirrored = async (mirrorPercent: number) => {
      await router.shift({ weights: { [scene.old]: 100 }, mirrorPercent }, marker, soon());
      return JSON.stringify(spec()?.["rules"]);
    };
    expect(await mirrored(100)).not.toContain("percent");
    expect(await mirrored(10)).toContain('"percent":10');
  });

  it("goes back from a pause by the path and port that it had then, whatever is declared since", async () => {
    const first = await scene.begin("t1");
    await router.shift({ weights: half() }, first, soon());
    await router.release(first, { history: [scene.old] }, soon());
    const { shape: former } = await router.observe(soon());
    const origin = { weights: { [scene.old]: 100 }, shape: former, leavesRest: true } as const;
    const marker = await scene.begin("t2", { origin });
    const changed = scene.open({ ...shape, pathPrefix: "/v2", servicePort: 8_081 });
    await changed.shift({ weights: { [scene.next]: 100 } }, marker, soon());
    await changed.restore(origin, marker, soon());
    expect(spec()?.["rules"]).toMatchObject([
      { matches: [{ path: { value: "/" } }], backendRefs: [{ name: scene.old, port: 80 }] },
    ]);
  });

  it("names a Service of another namespace as what it is: not ours", async () => {
    await scene.patch({ spec: { rules: [{ backendRefs: [{ name: scene.old, namespace: "other", port: 80 }] }] } });
    expect(await router.observe(soon())).toMatchObject({ weights: { [`other/${scene.old}`]: 100 }, served: true });
  });

  it("takes a version for served only if its Service leads to a Pod that is ready", async () => {
    const served = async () => (await router.observe(soon())).served;
    expect(await served()).toBe(true);
    world.fake.objects.delete(`/api/v1/namespaces/shop/services/${scene.old}`);
    expect(await served()).toBe(false);
    // What picks its Pods by other means is not known to serve nobody.
    world.fake.seed(`/api/v1/namespaces/shop/services/${scene.old}`, {
      kind: "Service",
      spec: { ports: [{ port: 80 }] },
    });
    expect(await served()).toBe(true);
  });

  describe("before it writes anything, asks the GatewayClass", () => {
    const withClass = (status: object) => {
      world.fake.seed(`${group}/namespaces/shop/gateways/public`, {
        kind: "Gateway",
        spec: { gatewayClassName: "any" },
      });
      world.fake.seed(`${group}/gatewayclasses/any`, { kind: "GatewayClass", spec: {}, status });
    };
    const listing = (...names: string[]) => withClass({ supportedFeatures: names.map((name) => ({ name })) });
    const attempt = async (traffic: Omit<Traffic, "weights">) => {
      const marker = await scene.begin("t1");
      const before = await scene.stored();
      try {
        await router.shift({ weights: half(), ...traffic }, marker, soon());
      } catch (thrown) {
        expect(await scene.stored()).toEqual(before);
        throw thrown;
      }
    };

    it.each<[string, Omit<Traffic, "weights">, listed?: string]>([
      ["HTTPRouteRequestMirror", { mirrorPercent: 100 }],
      ["HTTPRouteRequestMirror", { mirrorPercent: 10 }],
      ["HTTPRouteResponseHeaderModification", { affinity: {} }],
      // Who lists it alone, as Traefik 3.5 does, skips the filters of one backend in silence.
      ["HTTPRouteBackendRequestHeaderModification", { affinity: {} }, "HTTPRouteResponseHeaderModification"],
    ])(
      "and refuses a traffic for which it does not list %s",
      async (feature, traffic, listed = "HTTPRouteQueryParamMatching") => {
        listing(listed);
        await expect(attempt(traffic)).rejects.toThrow(
          new RegExp(`GatewayClass any of the Gateway shop/public does not list ${feature}\\. Leave it out`),
        );
      },
    );

    it("and tells copies in part from copies of all", async () => {
      listing("HTTPRouteRequestMirror");
      await attempt({ mirrorPercent: 100 });
      const marker = { ...markerOf(scene, "t1", null) };
      await expect(router.shift({ weights: half(), mirrorPercent: 10 }, marker, soon())).rejects.toThrow(
        /copied to the candidate in part, .* HTTPRouteRequestPercentageMirror/,
      );
    });

    it("and goes on where it lists what is needed", async () => {
      listing(
        "HTTPRouteBackendRequestHeaderModification",
        "HTTPRouteRequestMirror",
        "HTTPRouteRequestPercentageMirror",
        "HTTPRouteResponseHeaderModification",
      );
      await attempt({ mirrorPercent: 10, affinity: {} });
    });

    it("also where it lists mere names, as it did before version 1.2 of the Gateway API", async () => {
      withClass({ supportedFeatures: ["HTTPRouteQueryParamMatching"] });
      await expect(attempt({ mirrorPercent: 100 })).rejects.toThrow(/does not list/);
    });

    it("and takes one that lists nothing for one that cannot, but asks nothing about what all have to have", async () => {
      withClass({});
      for (const traffic of [{ mirrorPercent: 10 }, { affinity: {} }]) {
        await expect(attempt(traffic)).rejects.toThrow(
          /GatewayClass any of .* lists no features, .* since version 1\.4/,
        );
      }
      await router.shift({ weights: half() }, markerOf(scene, "t1", null), soon());
    });

    it.each([403, 404])("and takes one that it cannot read (%i) for one that cannot", async (status) => {
      const refused = async () => {
        throw new ApiError(status, "gateways is forbidden");
      };
      const features = httpRouteFeatures({ ...world.fake.api, send: refused }, shape);
      const shifted = (traffic: Omit<Traffic, "weights">) =>
        features.beforeShift?.({ weights: half(), ...traffic }, markerOf(scene, "t1", null), soon());
      await expect(shifted({ mirrorPercent: 10 })).rejects.toThrow(
        /the Gateway shop\/public is not there or may not be read.* Allow to get gateways and gatewayclasses/,
      );
      await expect(shifted({})).resolves.toBeUndefined();
    });
  });
});
