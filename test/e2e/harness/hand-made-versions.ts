import { KubeConfig, KubernetesObjectApi, type KubernetesObject, type V1Deployment } from "@kubernetes/client-node";
import { images, type Cluster } from "@bascule/rig";
import { until } from "./until.ts";

const containerPort = 8080;

/** One version of the sample application. */
export interface HandMadeVersion {
  /** Also the name of its Deployment and of its Service. */
  readonly name: string;
  /** Environment of the sample application; see the rig's README. */
  readonly behaviour?: Readonly<Record<string, string>>;
  /** Default 1. */
  readonly replicas?: number;
}

/** Puts versions of a release into a new namespace, each with a Service of its own, and waits until their Pods are ready. */
export async function makeVersions(
  cluster: Cluster,
  { namespace, release, port }: { readonly namespace: string; readonly release: string; readonly port: number },
  versions: readonly HandMadeVersion[],
): Promise<void> {
  const configuration = new KubeConfig();
  configuration.loadFromFile(cluster.kubeconfigPath);
  configuration.setCurrentContext(cluster.context);
  const api = KubernetesObjectApi.makeApiClient(configuration);
  await api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  const objects = versions.flatMap((version) => objectsOf(version, namespace, release, port));
  await Promise.all(objects.map((object) => api.create(object)));
  for (const { name, replicas = 1 } of versions) {
    await until(`the Pods of ${name}`, async () => {
      const deployment = await api.read<V1Deployment>({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name, namespace },
      });
      return deployment.status?.readyReplicas === replicas;
    });
  }
}

function objectsOf(
  { name, behaviour = {}, replicas = 1 }: HandMadeVersion,
  namespace: string,
  release: string,
  port: number,
): readonly (KubernetesObject & Readonly<Record<string, unknown>>)[] {
  const labels = { "bascule.dev/release": release, "bascule.dev/version": name };
  const environment = { VERSION: name, BASCULE_VERSION: name, ...behaviour };
  const container = {
    name: "web",
    image: images.web,
    imagePullPolicy: "IfNotPresent",
    env: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
    readinessProbe: { httpGet: { path: "/readyz", port: containerPort }, periodSeconds: 1 },
  };
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace, labels },
      spec: { selector: labels, ports: [{ name: "http", port, targetPort: containerPort }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace, labels },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
  ];
}
