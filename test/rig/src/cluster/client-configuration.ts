import { KubeConfig } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";

/** What a client of this cluster needs. */
export function clientConfiguration({
  kubeconfigPath,
  context,
}: Pick<Cluster, "kubeconfigPath" | "context">): KubeConfig {
  const configuration = new KubeConfig();
  configuration.loadFromFile(kubeconfigPath);
  configuration.setCurrentContext(context);
  return configuration;
}
