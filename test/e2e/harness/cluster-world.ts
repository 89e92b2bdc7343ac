import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { images, type Cluster } from "@bascule/rig";
import { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import {
  completeGatewayClass,
  connectApi,
  gatewayPath,
  podsOf,
  type Api,
  type Place,
  type RouterSubject,
  type RouterWorld,
} from "../../../packages/kubernetes/src/router/router-contract.ts";

/** A namespace of a real cluster, in which each test has a release of its own. */
export interface ClusterWorld {
  readonly api: Api;
  /** The world of a router; what it leaves goes with the namespace. */
  openWorld(subject: RouterSubject): Promise<RouterWorld>;
  remove(): Promise<void>;
}

const limitMs = 60_000;
const soon = () => AbortSignal.timeout(limitMs);
const anything = z.unknown();
const listed = z.looseObject({
  metadata: z.looseObject({ name: z.string(), deletionTimestamp: z.string().optional() }),
});

export async function openClusterWorld(cluster: Cluster): Promise<ClusterWorld> {
  const configuration = new KubeConfig();
  configuration.loadFromFile(cluster.kubeconfigPath);
  configuration.setCurrentContext(cluster.context);
  const api = validatingStrictly(connectApi(configuration));
  const namespace = `routers-${randomBytes(4).toString("hex")}`;
  const core = `/api/v1/namespaces/${namespace}`;
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
  await api.send({ method: "POST", path: "/api/v1/namespaces", body }, anything, soon());
  const gatewayClass = `/apis/gateway.networking.k8s.io/v1/gatewayclasses/${namespace}`;
  await makeGateway(api, gatewayClass, namespace);
  let releases = 0;

  const addVersion: RouterWorld["addVersion"] = async ({ release }, version) => {
    const labels = { "bascule.dev/release": release, "bascule.dev/version": version };
    const metadata = { name: version, namespace, labels };
    const service = { apiVersion: "v1", kind: "Service", metadata, spec: { selector: labels, ports: [{ port: 80 }] } };
    await api.send({ method: "POST", path: `${core}/services`, body: service }, anything, soon());
    // No scheduler takes it and no kubelet runs it: it is ready because its status says so.
    const container = { name: "web", image: images.web };
    const spec = { schedulerName: "nobody", terminationGracePeriodSeconds: 0, containers: [container] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata, spec };
    await api.send({ method: "POST", path: `${core}/pods`, body: pod }, anything, soon());
    const status = { podIP: "192.0.2.7", conditions: [{ type: "Ready", status: "True" }] };
    const request = { path: `${core}/pods/${version}/status`, body: { status } };
    const contentType = "application/merge-patch+json";
    await api.send({ method: "PATCH", contentType, ...request }, anything, soon());
  };

  const removeVersion: RouterWorld["removeVersion"] = async (_place, version) => {
    for (const path of [`${core}/services/${version}`, `${core}/pods/${version}`]) {
      await api.send({ method: "DELETE", path }, anything, soon());
    }
    const labelSelector = `bascule.dev/version=${version}`;
    while ((await api.list(`${core}/pods`, { labelSelector }, anything, soon())).length > 0) await sleep(50);
  };

  const listAll = async (collection: string): Promise<readonly (readonly [string, unknown])[]> => {
    const items = await api.list(collection, {}, listed, soon());
    return items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((item) => [`${collection}/${item.metadata.name}`, item]);
  };

  return {
    api,
    openWorld: async (subject) => ({
      api,
      newPlace: () => ({ namespace, release: `web${++releases}` }),
      addVersion,
      removeVersion,
      look: async (place: Place) => {
        const collections = new Set([podsOf(place), ...subject.paths(place).map(collectionOf)]);
        const found = new Map((await Promise.all([...collections].map(listAll))).flat());
        return {
          get: (path) => found.get(path),
          list: (collection) =>
            [...found].filter(([path]) => collectionOf(path) === collection).map(([, item]) => item),
        };
      },
      close: () => Promise.resolve(),
    }),
    remove: async () => {
      for (const path of [`/api/v1/namespaces/${namespace}`, gatewayClass]) {
        await api.send({ method: "DELETE", path }, anything, soon());
      }
    },
  };
}

/** A Gateway of a class that nobody implements, and that says it can do everything. */
async function makeGateway(api: Api, classPath: string, namespace: string): Promise<void> {
  const apiVersion = "gateway.networking.k8s.io/v1";
  const { status, ...declared } = completeGatewayClass;
  const gatewayClass = { apiVersion, ...declared, metadata: { name: namespace } };
  await api.send({ method: "POST", path: collectionOf(classPath), body: gatewayClass }, anything, soon());
  const written = { path: `${classPath}/status`, body: { status }, contentType: "application/merge-patch+json" };
  await api.send({ method: "PATCH", ...written }, anything, soon());
  const listeners = [{ name: "http", port: 80, protocol: "HTTP" }];
  const spec = { gatewayClassName: namespace, listeners };
  const gateway = { apiVersion, kind: "Gateway", metadata: { name: "public", namespace }, spec };
  await api.send({ method: "POST", path: collectionOf(gatewayPath({ namespace })), body: gateway }, anything, soon());
}

function collectionOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** The API server then refuses what the definition of a kind does not know, in place of dropping it. */
function validatingStrictly(api: Api): Api {
  return {
    ...api,
    send: (request, schema, signal) =>
      api.send(
        ["POST", "PUT", "PATCH"].includes(request.method)
          ? { ...request, path: `${request.path}?fieldValidation=Strict` }
          : request,
        schema,
        signal,
      ),
  };
}
