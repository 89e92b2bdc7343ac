import { setTimeout as sleep } from "node:timers/promises";
import { images, type Cluster, type Progress } from "@bascule/rig";
import { ApiException, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { startPretendNode } from "./pretend-node.ts";

/** Where the measured stacks are deployed to: a namespace for each, and a pretended node for their Pods. */
export interface Stage {
  readonly node: string;
  /** Makes a namespace that goes with the stage. */
  readonly makeNamespace: (name: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const readyLimitMs = 60_000;
const removeLimitMs = 600_000;
const pollMs = 500;
const port = 8080;

export async function openStage({ kubeconfigPath, context }: Cluster, progress: Progress): Promise<Stage> {
  const configuration = new KubeConfig();
  configuration.loadFromFile(kubeconfigPath);
  configuration.setCurrentContext(context);
  const core = configuration.makeApiClient(CoreV1Api);
  const name = `bench-${process.pid}`;
  const namespaces = [name];
  await core.createNamespace({ body: { metadata: { name } } });
  const removeNamespaces = async () => {
    for (const namespace of namespaces) await core.deleteNamespace({ name: namespace });
    for (const namespace of namespaces) await untilGone(core, namespace);
  };
  try {
    const address = await startBackend(core, name);
    const node = await startPretendNode(configuration, name, address, progress);
    return {
      node: name,
      makeNamespace: async (namespace) => {
        await core.createNamespace({ body: { metadata: { name: namespace } } });
        namespaces.push(namespace);
      },
      close: async () => {
        await removeNamespaces();
        await node.remove();
      },
    };
  } catch (thrown) {
    await removeNamespaces();
    throw thrown;
  }
}

/** The one Pod that really runs, and answers for all. Gives its address. */
async function startBackend(core: CoreV1Api, namespace: string): Promise<string> {
  const name = "backend";
  await core.createNamespacedPod({
    namespace,
    body: {
      metadata: { name },
      spec: {
        automountServiceAccountToken: false,
        containers: [
          {
            name,
            image: images.web,
            imagePullPolicy: "Never",
            readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
          },
        ],
      },
    },
  });
  const deadlineMs = performance.now() + readyLimitMs;
  for (;;) {
    const { status } = await core.readNamespacedPod({ name, namespace });
    const isReady = status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True");
    if (isReady && status?.podIP) return status.podIP;
    if (performance.now() > deadlineMs) throw new Error(`The Pod ${namespace}/${name} is not ready.`);
    await sleep(pollMs);
  }
}

async function untilGone(core: CoreV1Api, namespace: string): Promise<void> {
  const deadlineMs = performance.now() + removeLimitMs;
  for (;;) {
    try {
      await core.readNamespace({ name: namespace });
    } catch (thrown) {
      if (thrown instanceof ApiException && thrown.code === 404) return;
      throw thrown;
    }
    if (performance.now() > deadlineMs) throw new Error(`The namespace ${namespace} is still there.`);
    await sleep(pollMs);
  }
}
