import type { Marker, Traffic } from "@bascule/core";
import { z } from "zod";
import { startFakeKubernetesApi, type FakeKubernetesApi, type StoredObject } from "../kubernetes-api.fake.ts";
import { versionSelector } from "../labels.ts";
import type { ObjectRouter } from "../router/object-router.ts";
import { servedBy } from "../router/served.ts";
import { mirrorRouter } from "./mirror-router.ts";
import { mirrorSpecSchema } from "./mirror-spec.ts";

export const stable = "web-11111111";
export const candidate = "web-22222222";

const services = "/api/v1/namespaces/shop/services/";
const deployments = "/apis/apps/v1/namespaces/shop/deployments/";
const pods = "/api/v1/namespaces/shop/pods/";
const templateSchema = z.object({
  replicas: z.number(),
  template: z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()) }) }),
});

/** A release with two versions behind a Service, in a cluster that runs the Pods of mirrors. */
export interface MirrorCluster {
  readonly fake: FakeKubernetesApi;
  /** Whether Pods of mirrors come to be ready. */
  becomesReady: boolean;
  /** Whether Pods of mirrors end when their Deployment is gone. */
  drains: boolean;
  open(options?: { readonly readyLimitMs?: number; readonly port?: number }): ObjectRouter;
  /** The labels by which the Service picks its Pods. */
  selector(): unknown;
  /** The names of the mirrors' objects by kind, in the order of the alphabet. */
  mirrorObjects(): readonly string[];
  close(): void;
}

export async function startMirrorCluster(): Promise<MirrorCluster> {
  const fake = await startFakeKubernetesApi();
  const isServed = servedBy(fake.api, "web", "shop");
  for (const version of [stable, candidate]) {
    const metadata = { labels: versionSelector("web", version) };
    fake.seed(`${pods}${version}-1`, { kind: "Pod", metadata, status: ready("10.244.0.2") });
  }
  fake.seed(`${services}web`, {
    kind: "Service",
    metadata: { labels: { "bascule.dev/release": "web" } },
    spec: {
      type: "ClusterIP",
      selector: versionSelector("web", stable),
      ports: [{ name: "main", port: 80, targetPort: 8080 }],
    },
  });

  const cluster: MirrorCluster = {
    fake,
    becomesReady: true,
    drains: true,
    open: ({ readyLimitMs = 5_000, port = 8080 } = {}) =>
      mirrorRouter({
        api: fake.api,
        release: "web",
        shape: {
          kind: "service",
          name: "web",
          namespace: "shop",
          type: "ClusterIP",
          ports: [{ name: "main", port: 80, targetPort: port }],
          labels: {},
          annotations: {},
          mirror: mirrorSpecSchema.parse({ readyLimitMs }),
        },
        isServed,
      }),
    selector: () => fake.objects.get(`${services}web`)?.spec?.["selector"],
    mirrorObjects: () =>
      [...fake.objects.values()]
        .filter(({ kind, metadata }) => kind !== "Pod" && metadata.labels?.["bascule.dev/mirror-of"] !== undefined)
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
        .sort(),
    close: () => {
      fake.close();
    },
  };
  fake.onChange = ({ path }) => {
    if (path.startsWith(deployments)) runPods(path);
  };
  return cluster;

  /** What the controllers do for a Deployment. */
  function runPods(path: string): void {
    const deployment = fake.objects.get(path);
    const name = path.slice(deployments.length);
    if (!deployment) {
      if (cluster.drains) for (const pod of podsOf(name)) fake.objects.delete(pod);
      return;
    }
    const { replicas, template } = templateSchema.parse(deployment.spec);
    for (let index = 0; index < replicas; index++) {
      const status = cluster.becomesReady ? ready(`10.244.0.${index + 10}`) : waiting;
      fake.seed(`${pods}${name}-${index}`, { kind: "Pod", metadata: template.metadata, status });
    }
    const readyReplicas = cluster.becomesReady ? replicas : 0;
    const status = { observedGeneration: 1, replicas, updatedReplicas: replicas, readyReplicas };
    const changed: StoredObject = { ...deployment, metadata: { ...deployment.metadata, generation: 1 }, status };
    fake.objects.set(path, changed);
  }

  function podsOf(name: string): readonly string[] {
    return [...fake.objects.keys()].filter((path) => path.startsWith(`${pods}${name}-`));
  }
}

/** The traffic to the stable version, with copies to the candidate. */
export function copies(mirrorPercent: number): Traffic {
  return { weights: { [stable]: 100 }, mirrorPercent };
}

/** A claim of the Service by a transaction. */
export function markerOf(transaction: string, change: Partial<Marker> = {}): Marker {
  return {
    transaction,
    candidate,
    origin: null,
    step: 0,
    fencing: 1,
    owner: { host: "here", processId: 7, processStart: "boot/7" },
    leaseUntilMs: Date.now() + 20_000,
    ...change,
  };
}

function ready(podIP: string) {
  return { podIP, conditions: [{ type: "Ready", status: "True" }] };
}

const waiting = {
  conditions: [],
  containerStatuses: [{ ready: false, state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } }],
};
