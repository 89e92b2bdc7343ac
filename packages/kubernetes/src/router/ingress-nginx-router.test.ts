import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Met } from "./data-planes.fake.ts";
import { ingressEntrance, ingressNginxShapeSchema } from "./ingress-nginx-router.ts";
import type { ObjectRouter } from "./object-router.ts";
import { openScene, soon, successorOf, type RouterScene } from "./router-scene.fake.ts";
import { hostOf, ingressNginxSubject, viewOf } from "./router-subjects.fake.ts";
import { openFakeWorld, type FakeRouterWorld } from "./router-world.fake.ts";

const path = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web";
const nginx = (name: string) => `nginx.ingress.kubernetes.io/${name}`;

describe("the Ingress-NGINX router", { timeout: 60_000 }, () => {
  let world: FakeRouterWorld;
  let scene: RouterScene;
  let router: ObjectRouter;

  const shape = ingressNginxShapeSchema.parse(ingressNginxSubject.shape({ namespace: "shop", release: "web" }));
  const main = () => world.fake.objects.get(path);
  const canary = () => world.fake.objects.get(`${path}-canary`);
  const canaryNotes = () => canary()?.metadata.annotations ?? {};
  /** The Service that an Ingress sends to. */
  const backendOf = (object: unknown) => /"service":\{"name":"([^"]+)"/.exec(JSON.stringify(object) ?? "")?.[1];
  const someWay = () => ({ weights: { [scene.old]: 75, [scene.next]: 25 } });

  beforeEach(async () => {
    world = await openFakeWorld();
    scene = await openScene(ingressNginxSubject, world);
    router = scene.router;
  });
  afterEach(() => world.close());

  it("serves nobody by a rule without paths, and no canary", async () => {
    await scene.begin("t1");
    expect(main()?.spec?.["rules"]).toEqual([{ host: "web.example" }]);
    expect(canary()).toBeUndefined();
  });

  it("lets ingress-nginx know the candidate's Pods before it gives them anything, and the stable version's on the way back", async () => {
    await scene.serve(scene.old);
    const marker = await scene.begin("t1");
    expect(backendOf(canary())).toBe(scene.next);
    expect(canaryNotes()).toMatchObject({ [nginx("canary")]: "true", [nginx("canary-weight")]: "0" });
    await router.shift(someWay(), marker, soon());
    expect([backendOf(main()), backendOf(canary())]).toEqual([scene.old, scene.next]);
    await router.shift({ weights: { [scene.next]: 100 } }, marker, soon());
    expect([backendOf(main()), backendOf(canary())]).toEqual([scene.next, scene.old]);
    expect(canaryNotes()).toMatchObject({ [nginx("canary-weight")]: "0" });
    await router.release(marker, undefined, soon());
    expect(canary()).toBeUndefined();
  });

  it("keeps the canary from inheriting sticky sessions, which would hold users there at weight 0", async () => {
    await scene.serve(scene.old);
    await router.shift(someWay(), await scene.begin("t1"), soon());
    expect(canaryNotes()).toMatchObject({ [nginx("affinity-canary-behavior")]: "legacy" });
  });

  it("follows the hosts, paths and class of the main Ingress, and leaves it the rest", async () => {
    const tls = [{ hosts: ["web.example"], secretName: "web-tls" }];
    const declared = { ...shape, hosts: ["web.example", "www.web.example"], tls, ingressClassName: "internal" };
    const open = scene.open(declared);
    await scene.serve(scene.old);
    await open.shift(someWay(), await scene.begin("t1"), soon());
    expect(await open.readShape(soon())).toEqual(declared);
    expect(main()?.spec).toMatchObject({ tls, ingressClassName: "internal" });
    expect(canary()?.spec).not.toHaveProperty("tls");
    expect(canary()?.spec).toMatchObject({
      ingressClassName: "internal",
      rules: declared.hosts.map((host) => ({ host, http: { paths: [{ path: "/", pathType: "Prefix" }] } })),
    });
  });

  it("keeps what others note on the canary", async () => {
    await scene.serve(scene.old);
    const marker = await scene.begin("t1");
    const live = canary();
    if (live)
      world.fake.seed(`${path}-canary`, {
        ...live,
        metadata: { ...live.metadata, annotations: { ...canaryNotes(), theirs: "yes" } },
      });
    await router.shift(someWay(), marker, soon());
    expect(canaryNotes()).toMatchObject({ theirs: "yes", [nginx("canary-weight")]: "25" });
  });

  it("splits by parts of a per cent", async () => {
    await scene.serve(scene.old);
    await router.shift({ weights: { [scene.old]: 99.875, [scene.next]: 0.125 } }, await scene.begin("t1"), soon());
    expect(canaryNotes()).toMatchObject({ [nginx("canary-weight")]: "125", [nginx("canary-weight-total")]: "100000" });
    expect((await router.observe(soon())).weights).toEqual({ [scene.old]: 99.875, [scene.next]: 0.125 });
  });

  it("sees a canary that somebody set up by hand, and puts its share back", async () => {
    await scene.serve(scene.old);
    const annotations = { [nginx("canary")]: "true", [nginx("canary-weight")]: "30" };
    const paths = [{ path: "/", pathType: "Prefix", backend: { service: { name: "legacy", port: { number: 80 } } } }];
    const rules = [{ host: "web.example", http: { paths } }];
    world.fake.seed(`${path}-canary`, { kind: "Ingress", metadata: { annotations }, spec: { rules } });
    expect((await router.observe(soon())).weights).toEqual({ [scene.old]: 70, legacy: 30 });
    const marker = await scene.begin("t1");
    await router.shift({ weights: { [scene.next]: 100 } }, marker, soon());
    await router.restore(marker.origin, marker, soon());
    await router.release(marker, undefined, soon());
    expect(await scene.meet()).toEqual({ [scene.old]: 70, legacy: 30 });
  });

  it("makes a canary anew that somebody deleted, without a share until it is its own again", async () => {
    await scene.serve(scene.old);
    const marker = await scene.begin("t1");
    await router.shift(someWay(), marker, soon());
    world.fake.objects.delete(`${path}-canary`);
    expect((await router.observe(soon())).weights).toEqual({ [scene.old]: 100 });
    world.fake.writes.length = 0;
    const shares: unknown[] = [];
    world.fake.onChange = () => shares.push(canaryNotes()[nginx("canary-weight")]);
    await router.shift(someWay(), { ...marker, step: 1 }, soon());
    expect(shares.filter((share) => share !== undefined)).toEqual(["0", "25"]);
    expect(await scene.meet()).toEqual(someWay().weights);
  });

  /** ingress-nginx serves nobody where two Ingresses name one Service and the canary is the older one. */
  describe("never lets a canary that is older than the main Ingress name the same Service", () => {
    const met: Met[] = [];
    const watch = () => {
      met.length = 0;
      world.fake.onChange = () => {
        if (!main()) return;
        const view = viewOf(world.fake.objects);
        met.push(ingressNginxSubject.meet(view, scene.place, { host: hostOf(scene.place) }));
      };
    };
    /** As somebody does who applies a manifest again that was deleted. */
    const makeMainAnew = () => {
      const live = main();
      world.fake.nowSeconds += 60;
      if (live) world.fake.seed(path, live);
    };

    it("when it makes the main Ingress anew", async () => {
      await scene.serve(scene.old);
      const marker = await scene.begin("t1");
      await router.shift({ weights: { [scene.next]: 100 } }, marker, soon());
      expect(backendOf(canary())).toBe(scene.old);
      await scene.deleteByHand();
      world.fake.nowSeconds += 60;
      watch();
      await router.restore(marker.origin, marker, soon());
      expect(met.length).toBeGreaterThan(1);
      expect(new Set(met.map((each) => JSON.stringify(each)))).toEqual(new Set([JSON.stringify({ [scene.old]: 100 })]));
    });

    it("when it promotes, or goes back, after somebody else has", async () => {
      await scene.serve(scene.old);
      const marker = await scene.begin("t1");
      makeMainAnew();
      watch();
      await router.shift({ weights: { [scene.next]: 100 } }, marker, soon());
      makeMainAnew();
      await router.restore(marker.origin, marker, soon());
      expect(met.length).toBeGreaterThan(4);
      expect(met.filter((each) => Object.keys(each).length === 0)).toEqual([]);
    });
  });

  it("is not led astray by a canary that a late writer left when there was no main Ingress", async () => {
    const annotations = {
      [nginx("canary")]: "true",
      [nginx("canary-weight")]: "100",
      [nginx("canary-by-header")]: "x",
    };
    const paths = [{ path: "/", pathType: "Prefix", backend: { service: { name: "gone", port: { number: 80 } } } }];
    const rules = [{ host: "web.example", http: { paths } }];
    world.fake.seed(`${path}-canary`, { kind: "Ingress", metadata: { annotations }, spec: { rules } });
    world.fake.nowSeconds += 60;
    await scene.serve(scene.old);
    expect(await scene.meet()).toEqual({ [scene.old]: 100 });
    expect(canary()).toBeUndefined();
  });

  it("refuses a late writer at the canary alone, too", async () => {
    await scene.serve(scene.old);
    const late = await scene.begin("t1");
    // It has written the main Ingress, and is about to write the canary.
    let isTakenOver = false;
    world.fake.intercept = async ({ method, path: asked }) => {
      if (isTakenOver || method !== "PUT" || asked !== `${path}-canary`) return undefined;
      isTakenOver = true;
      await router.claim(successorOf(late, "t2"), { marker: late, weights: null }, soon());
      return undefined;
    };
    await expect(router.shift(someWay(), late, soon())).rejects.toThrow(/transaction t2/);
    expect(isTakenOver).toBe(true);
    expect(await scene.meet()).toEqual({ [scene.old]: 100 });
  });

  it("splits between two versions and no more", async () => {
    await scene.serve(scene.old);
    const marker = await scene.begin("t1");
    const weights = { [scene.old]: 60, "web-older": 20, [scene.next]: 20 };
    await expect(router.shift({ weights }, marker, soon())).rejects.toThrow(/between two versions, not between/);
  });

  it("refuses annotations of its own in the declaration", () => {
    const declared = { ...shape, annotations: { [nginx("canary-weight")]: "5" } };
    expect(() => ingressNginxShapeSchema.parse(declared)).toThrow(/must leave the canary annotations/);
  });

  it("tells clients' address from what its controller wrote on it", async () => {
    await scene.serve(scene.old);
    const entrance = (change: object) => ingressEntrance(router, { ...shape, ...change }).address(soon());
    expect(await entrance({})).toBeUndefined();
    const live = main();
    if (live) world.fake.seed(path, { ...live, status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } } });
    expect(await entrance({})).toEqual({ host: "203.0.113.7", port: 80, headers: { host: "web.example" } });
    expect(await entrance({ hosts: ["*.web.example"] })).toEqual({ host: "203.0.113.7", port: 80 });
    expect(await entrance({ tls: [{ hosts: [], secretName: "s" }] })).toMatchObject({ port: 443 });
  });
});
