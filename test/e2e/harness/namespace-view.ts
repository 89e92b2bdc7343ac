import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type { Cluster } from "@bascule/rig";

/** What a person with kubectl would see in, and do to, a namespace. */
export type NamespaceView = ReturnType<typeof openNamespace>;

const removeLimitMs = 60_000;

export function openNamespace(cluster: Cluster, namespace: string) {
  const configuration = new KubeConfig();
  configuration.loadFromFile(cluster.kubeconfigPath);
  configuration.setCurrentContext(cluster.context);
  const core = configuration.makeApiClient(CoreV1Api);
  const apps = configuration.makeApiClient(AppsV1Api);
  const mergePatch = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

  const readService = () => core.readNamespacedService({ name: "web", namespace });

  return {
    name: namespace,

    serviceAddress: async () => {
      const { spec } = await readService();
      return `${spec?.clusterIP}:${spec?.ports?.[0]?.port}`;
    },
    /** The version that the Service sends its clients to. */
    servedVersion: async () => (await readService()).spec?.selector?.["bascule.dev/version"],
    /** The marker of a transaction under way, if there is one. */
    marker: async () => (await readService()).metadata?.annotations?.["bascule.dev/transaction"],
    /** The versions that there are Deployments of. */
    versions: async () => {
      const { items } = await apps.listNamespacedDeployment({ namespace });
      return items.map(({ metadata }) => metadata?.name ?? "").sort();
    },
    patchService: (patch: object) => core.patchNamespacedService({ name: "web", namespace, body: patch }, mergePatch),
    deleteService: () => core.deleteNamespacedService({ name: "web", namespace }),

    isGone: async () => {
      try {
        await core.readNamespace({ name: namespace });
        return false;
      } catch (thrown) {
        if (thrown instanceof ApiException && thrown.code === 404) return true;
        throw thrown;
      }
    },
    remove: async () => {
      const deadlineMs = performance.now() + removeLimitMs;
      for (;;) {
        try {
          await core.deleteNamespace({ name: namespace });
        } catch (thrown) {
          if (thrown instanceof ApiException && thrown.code === 404) return;
          if (performance.now() > deadlineMs) throw thrown;
        }
        await sleep(200);
      }
    },
  };
}
