import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiException,
  AppsV1Api,
  AutoscalingV2Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type { Cluster } from "@bascule/rig";

/** What a person with kubectl would see in, and do to, a namespace. */
export type NamespaceView = ReturnType<typeof openNamespace>;

const removeLimitMs = 60_000;
const sizesPollMs = 100;

/** @param service the name of the release's Service, and of its other router objects */
export function openNamespace(cluster: Cluster, namespace: string, service = "web") {
  const configuration = new KubeConfig();
  configuration.loadFromFile(cluster.kubeconfigPath);
  configuration.setCurrentContext(cluster.context);
  const core = configuration.makeApiClient(CoreV1Api);
  const apps = configuration.makeApiClient(AppsV1Api);
  const custom = configuration.makeApiClient(CustomObjectsApi);
  const autoscaling = configuration.makeApiClient(AutoscalingV2Api);
  const mergePatch = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

  const readService = (name = service) => core.readNamespacedService({ name, namespace });

  const versionDeployments = async () =>
    (await apps.listNamespacedDeployment({ namespace, labelSelector: "bascule.dev/version" })).items;

  return {
    name: namespace,

    /** Of the release's Service, or of another one. */
    serviceAddress: async (name = service) => {
      const { spec } = await readService(name);
      return `${spec?.clusterIP}:${spec?.ports?.[0]?.port}`;
    },
    /** The version that the Service sends its clients to. */
    servedVersion: async () => (await readService()).spec?.selector?.["bascule.dev/version"],
    /** The marker of a transaction under way, if there is one. */
    marker: async () => (await readService()).metadata?.annotations?.["bascule.dev/transaction"],
    /** The versions that there are Deployments of. */
    versions: async () => {
      const deployments = await versionDeployments();
      return deployments.map(({ metadata }) => metadata?.name ?? "").sort();
    },
    /** The Pods of all versions that have an address. */
    versionPods: async () => {
      const { items } = await core.listNamespacedPod({ namespace, labelSelector: "bascule.dev/version" });
      return items.flatMap(({ metadata, status }) => {
        const version = metadata?.labels?.["bascule.dev/version"];
        return metadata?.name === undefined || version === undefined || status?.podIP === undefined
          ? []
          : [{ name: metadata.name, version, address: status.podIP }];
      });
    },
    /** What there is of mirrors, by kind and name. */
    mirrorObjects: async () => {
      const selection = { namespace, labelSelector: "bascule.dev/mirror-of" };
      const [deployments, services, configuration, pods] = await Promise.all([
        apps.listNamespacedDeployment(selection),
        core.listNamespacedService(selection),
        core.listNamespacedConfigMap(selection),
        core.listNamespacedPod(selection),
      ]);
      const named = (kind: string, { items }: { readonly items: readonly { metadata?: { name?: string } }[] }) =>
        items.map(({ metadata }) => `${kind} ${metadata?.name ?? ""}`);
      return [
        ...named("Deployment", deployments),
        ...named("Service", services),
        ...named("ConfigMap", configuration),
        ...named("Pod", pods),
      ];
    },
    /** The version that the release's autoscaler sizes, if there is an autoscaler. */
    autoscaledVersion: async () => {
      const { items } = await autoscaling.listNamespacedHorizontalPodAutoscaler({ namespace });
      return items[0]?.spec?.scaleTargetRef.name;
    },
    /** The files and secrets that belong to a version. */
    configurationOf: async (version: string) => {
      const files = await core.readNamespacedConfigMap({ name: `${version}-files-0`, namespace });
      const secret = await core.readNamespacedSecret({ name: version, namespace });
      const decoded = Object.entries(secret.data ?? {}).map(([key, value]) => [
        key,
        Buffer.from(value, "base64").toString(),
      ]);
      return { files: files.data, secrets: Object.fromEntries(decoded) as Readonly<Record<string, string>> };
    },
    /** How many Pods each version is asked to have. */
    sizes: async (): Promise<Readonly<Record<string, number>>> => {
      const deployments = await versionDeployments();
      return Object.fromEntries(deployments.map(({ metadata, spec }) => [metadata?.name ?? "", spec?.replicas ?? 1]));
    },
    /** Looks at the sizes of all versions together until it is stopped. */
    watchSizes: () => {
      const seen: { readonly wanted: number; readonly ready: number }[] = [];
      let isStopped = false;
      const watching = (async () => {
        while (!isStopped) {
          const deployments = await versionDeployments();
          seen.push({
            wanted: deployments.reduce((sum, { spec }) => sum + (spec?.replicas ?? 1), 0),
            ready: deployments.reduce((sum, { status }) => sum + (status?.readyReplicas ?? 0), 0),
          });
          await sleep(sizesPollMs);
        }
      })();
      return {
        stop: async () => {
          isStopped = true;
          await watching;
          return seen;
        },
      };
    },
    patchService: (patch: object) => core.patchNamespacedService({ name: service, namespace, body: patch }, mergePatch),
    patchRoute: (patch: object) =>
      custom.patchNamespacedCustomObject(
        {
          group: "gateway.networking.k8s.io",
          version: "v1",
          plural: "httproutes",
          name: service,
          namespace,
          body: patch,
        },
        mergePatch,
      ),
    deleteService: () => core.deleteNamespacedService({ name: service, namespace }),

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
