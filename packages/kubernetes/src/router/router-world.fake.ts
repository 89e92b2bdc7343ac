import type { VersionId } from "@bascule/core";
import { startFakeKubernetesApi, type FakeKubernetesApi } from "../kubernetes-api.fake.ts";
import { versionSelector } from "../labels.ts";
import type { RouterWorld } from "./router-scene.fake.ts";
import { completeGatewayClass, gatewayPath, viewOf, type Place } from "./router-subjects.fake.ts";

/** A world whose API server can be looked into and made to fail. */
export interface FakeRouterWorld extends RouterWorld {
  readonly fake: FakeKubernetesApi;
}

const fullSize = 4;

/** A fake API server in a cluster whose Deployments have their Pods at once. */
export async function openFakeWorld(): Promise<FakeRouterWorld> {
  const fake = await startFakeKubernetesApi();
  const spec = { gatewayClassName: "complete" };
  fake.seed(gatewayPath({ namespace: "shop" }), { kind: "Gateway", spec });
  fake.seed("/apis/gateway.networking.k8s.io/v1/gatewayclasses/complete", completeGatewayClass);
  const paths = ({ namespace, release }: Place, version: VersionId) => ({
    service: `/api/v1/namespaces/${namespace}/services/${version}`,
    deployment: `/apis/apps/v1/namespaces/${namespace}/deployments/${version}`,
    pods: `/api/v1/namespaces/${namespace}/pods/`,
    labels: versionSelector(release, version),
  });

  /** Gives a Deployment the Pods that it asks for. */
  const runPods = (place: Place, version: VersionId) => {
    const { deployment, pods, labels } = paths(place, version);
    const wanted = Number(fake.objects.get(deployment)?.spec?.["replicas"] ?? 0);
    for (const path of [...fake.objects.keys()]) {
      if (path.startsWith(`${pods}${version}-pod-`) && Number(path.split("-").at(-1)) >= wanted)
        fake.objects.delete(path);
    }
    for (let index = 0; index < wanted; index++) {
      const path = `${pods}${version}-pod-${index}`;
      if (fake.objects.has(path)) continue;
      const status = { podIP: `10.244.0.${index + 2}`, conditions: [{ type: "Ready", status: "True" }] };
      fake.seed(path, { kind: "Pod", metadata: { labels }, status });
    }
  };
  const running: (() => void)[] = [];
  fake.onChange = ({ path }) => {
    if (path.includes("/deployments/")) for (const run of running) run();
  };

  return {
    fake,
    api: fake.api,
    newPlace: () => ({ namespace: "shop", release: "web" }),
    addVersion: async (place, version) => {
      const { service, deployment, labels } = paths(place, version);
      fake.seed(service, { kind: "Service", spec: { selector: labels, ports: [{ port: 80 }] } });
      fake.seed(deployment, { kind: "Deployment", metadata: { labels }, spec: { replicas: fullSize } });
      running.push(() => runPods(place, version));
      runPods(place, version);
    },
    removeVersion: async (place, version) => {
      const { service, deployment } = paths(place, version);
      fake.objects.delete(service);
      fake.objects.delete(deployment);
      runPods(place, version);
    },
    look: async () => viewOf(fake.objects),
    close: async () => fake.close(),
  };
}
