import { canonicalJson } from "@bascule/core";
import { createProgress, installDefinitions, startCluster, type Cluster } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  expressible,
  openFakeWorld,
  openScene,
  routerContract,
  soon,
  subjects,
  trafficContract,
  type RouterSubject,
  type RouterWorld,
} from "../../packages/kubernetes/src/router/router-contract.ts";
import { openClusterWorld, type ClusterWorld } from "./harness/cluster-world.ts";

/** A split by numbers of Pods needs Pods that run, and is shown with them elsewhere. */
const byObjects = subjects.filter(({ kind }) => kind !== "replicas");

describe("on a real API server that validates strictly", () => {
  let cluster: Cluster;
  let world: ClusterWorld;

  beforeAll(async () => {
    const progress = createProgress();
    cluster = await startCluster({ progress });
    await installDefinitions(cluster, ["gatewayApi", "istio", "smi"], progress);
    world = await openClusterWorld(cluster);
  });
  afterAll(async () => {
    await world.remove();
    await cluster.stop();
  });

  it.each(byObjects)(
    "the definition behind a router of kind $kind knows its fields, and refuses any other",
    async (subject) => {
      const place = { namespace: "default", release: "never-made" };
      const [path = ""] = subject.paths(place);
      const collection = path.slice(0, path.lastIndexOf("/"));
      const groupVersion = /^\/(?:api|apis)\/(.+)\/namespaces/.exec(collection)?.[1] ?? "";
      const kinds = {
        service: "Service",
        httpRoute: "HTTPRoute",
        ingressNginx: "Ingress",
        istio: "VirtualService",
        smi: "TrafficSplit",
      };
      const kind = Object.entries(kinds).find(([name]) => name === subject.kind)?.[1];
      const body = { apiVersion: groupVersion, kind, metadata: { name: place.release }, spec: { unheardOf: true } };
      const attempt = world.api.send(
        { method: "POST", path: collection, body },
        z.unknown(),
        AbortSignal.timeout(10_000),
      );
      await expect(attempt).rejects.toThrow(/unknown field "spec.unheardOf"/);
    },
  );

  it.each(byObjects)("the stand-in of the other tests stores what it does: $kind", async (subject) => {
    const fake = await openFakeWorld();
    try {
      expect(await storedOf(subject, fake)).toEqual(await storedOf(subject, await world.openWorld(subject)));
    } finally {
      await fake.close();
    }
  });

  describe.each(byObjects)("$kind", (subject) => {
    routerContract(subject, () => world.openWorld(subject));
    trafficContract(subject, () => world.openWorld(subject));
  });
});

/** What a server makes of each traffic, without the names of the release and the addresses that a cluster gives out. */
async function storedOf(subject: RouterSubject, world: RouterWorld): Promise<readonly string[]> {
  const { place, old, next, router, ...scene } = await openScene(subject, world);
  await scene.serve(old);
  const marker = await scene.begin("t1");
  const found: string[] = [];
  for (const [what, traffic] of expressible(subject.kind, old, next)) {
    await router.shift(traffic, marker, soon());
    const specs = (await scene.stored()).map((object) => object && withoutAddresses(object.spec));
    found.push(what, ...specs.map((spec) => canonicalJson(spec ?? null).replaceAll(place.release, "web")));
  }
  return found;
}

function withoutAddresses({ clusterIP: _address, clusterIPs: _addresses, ...spec }: Readonly<Record<string, unknown>>) {
  return spec;
}
