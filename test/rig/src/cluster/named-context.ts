import { homedir } from "node:os";
import { join } from "node:path";
import { KubeConfig, VersionApi } from "@kubernetes/client-node";
import type { Progress } from "../progress.ts";
import type { Cluster } from "./cluster.ts";
import { useNamedGateway } from "./gateway.ts";

/**
 * The user's own cluster, which they named. The sample images must be there already.
 *
 * @throws Error when the kubeconfig has no such context or the cluster does not answer
 */
export async function useNamedContext(context: string, progress: Progress): Promise<Cluster> {
  const kubeconfigPath = process.env["KUBECONFIG"] || join(homedir(), ".kube", "config");
  const configuration = new KubeConfig();
  configuration.loadFromFile(kubeconfigPath);
  const known = configuration.getContexts().map(({ name }) => name);
  if (!known.includes(context)) {
    throw new Error(
      `BASCULE_CONTEXT = "${context}" is not in ${kubeconfigPath}, which has: ${known.join(", ")}. Name one of these.`,
    );
  }
  configuration.setCurrentContext(context);
  const { gitVersion } = await configuration.makeApiClient(VersionApi).getCode();
  progress(`using the context ${context}, Kubernetes ${gitVersion}`);
  const cluster: Cluster = {
    kubeconfigPath,
    context,
    owner: "user",
    description: `the context ${context}, Kubernetes ${gitVersion}`,
    interruptApiServer: () =>
      Promise.reject(
        new Error("A user's own API server is never interrupted; run this test on the rig's own cluster."),
      ),
    gateway: () => useNamedGateway(cluster),
    stop: async () => {},
  };
  return cluster;
}
