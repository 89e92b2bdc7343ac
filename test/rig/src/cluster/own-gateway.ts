import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KubernetesObjectApi, PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import { underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import { gatewayTool } from "../tools/catalogue.ts";
import { resolveTool } from "../tools/resolve.ts";
import { addresses } from "./addresses.ts";
import { makeClientCertificate } from "./certificates.ts";
import { clientConfiguration } from "./client-configuration.ts";
import type { Cluster, Gateway } from "./cluster.ts";
import { kubeconfig, type Layout } from "./configuration.ts";
import { installDefinitions } from "./definitions.ts";
import { awaitGateway } from "./gateway.ts";
import { processesInside, type Isolation } from "./isolation.ts";
import { start, tailOf, traefik } from "./programs.ts";

const user = "gateway";
const gateway = { namespace: "bascule-gateway", name: "shared" };
const fieldManager = "bascule-rig";

/**
 * Starts Traefik beside the cluster's programs, in their namespaces, or joins it when it runs already; and gives the cluster a Gateway
 * that routes of every namespace may use. It ends with the cluster.
 */
export async function startOwnGateway(
  cluster: Cluster,
  files: Layout,
  isolation: Isolation,
  progress: Progress,
): Promise<Gateway> {
  const program = await resolveTool(gatewayTool, progress);
  await installDefinitions(cluster, ["gatewayApi"], progress);
  await underLock("gateway", async () => {
    await apply(cluster, objects);
    if (processesInside(isolation, gatewayTool.name).length > 0) return;
    progress("starting Traefik");
    await makeClientCertificate(files.certificates, { name: user, commonName: userName });
    await writeFile(files.kubeconfig(user), kubeconfig(files, user), { mode: 0o600 });
    await writeFile(join(files.configuration, "traefik.yaml"), JSON.stringify(configuration), { mode: 0o600 });
    start(traefik(program, files), files, isolation);
  });
  return awaitGateway(cluster, gateway, () => tailOf("traefik", files));
}

/** JSON is YAML too; from a file, so that none of this machine's own is found. */
const configuration = {
  global: { checkNewVersion: false, sendAnonymousUsage: false },
  log: { level: "INFO", noColor: true },
  entryPoints: { web: { address: `:${addresses.gatewayPort}` } },
  providers: {
    // The default, two seconds between two configurations, is what the tests would measure instead of Bascule.
    providersThrottleDuration: "100ms",
    kubernetesGateway: { statusAddress: { ip: addresses.node } },
  },
};

type Manifest = KubernetesObject & Readonly<Record<string, unknown>>;

const userName = "bascule-gateway";
const read = ["get", "list", "watch"];

/** https://doc.traefik.io/traefik/reference/install-configuration/providers/kubernetes/kubernetes-gateway/ */
const objects: readonly Manifest[] = [
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: userName },
    rules: [
      { apiGroups: [""], resources: ["configmaps", "namespaces", "secrets", "services"], verbs: read },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: read },
      { apiGroups: ["gateway.networking.k8s.io"], resources: ["*"], verbs: [...read, "update"] },
    ],
  },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: userName },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: userName },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: userName }],
  },
  { apiVersion: "v1", kind: "Namespace", metadata: { name: gateway.namespace } },
  {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GatewayClass",
    metadata: { name: "bascule" },
    spec: { controllerName: "traefik.io/gateway-controller" },
  },
  {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: gateway,
    spec: {
      gatewayClassName: "bascule",
      listeners: [
        {
          name: "http",
          port: addresses.gatewayPort,
          protocol: "HTTP",
          allowedRoutes: { namespaces: { from: "All" } },
        },
      ],
    },
  },
];

async function apply(cluster: Cluster, wanted: readonly Manifest[]): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(clientConfiguration(cluster));
  for (const object of wanted) {
    await api.patch(object, undefined, undefined, fieldManager, true, PatchStrategy.ServerSideApply);
  }
}
