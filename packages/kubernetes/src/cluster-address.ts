import { existsSync } from "node:fs";
import { BasculeError } from "@bascule/core";
import type { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";

/** Which cluster, and how probes reach it. Nothing given: the cluster of `KUBECONFIG`, as the Kubernetes provider has it. */
export const clusterAddressSchema = z.strictObject({
  /** A kubeconfig: its path or its content. The content is secret. */
  kubeconfig: z.string().min(1).optional(),
  /** The context in it. Default: its current one. */
  context: z.string().min(1).optional(),
  /**
   * How probes reach Pods and the Service: straight to their addresses, or through the Kubernetes API. Default `auto`: straight
   * when a Pod's address answers from here.
   */
  reach: z.enum(["auto", "direct", "kubernetesApi"]).optional(),
});
export type ClusterAddress = z.infer<typeof clusterAddressSchema>;

/**
 * The client configuration for a cluster. The client is loaded only here and where it is used: most programs and previews need none,
 * and it takes longer to load than all else of this package.
 *
 * @throws BasculeError `invalid-input` when there is no such context
 */
export async function loadKubeConfig(address: ClusterAddress): Promise<KubeConfig> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const configuration = new KubeConfig();
  const { kubeconfig, context } = address;
  if (kubeconfig === undefined) configuration.loadFromDefault();
  else if (existsSync(kubeconfig)) configuration.loadFromFile(kubeconfig);
  else configuration.loadFromString(kubeconfig);
  if (context !== undefined) configuration.setCurrentContext(context);

  const current = configuration.getCurrentContext();
  if (configuration.getContextObject(current) === null || configuration.getCurrentCluster() === null) {
    const known = configuration.getContexts().map(({ name }) => name);
    throw new BasculeError(
      "invalid-input",
      `The kubeconfig has no context ${JSON.stringify(current)}; it has ${known.length > 0 ? known.join(", ") : "none"}. Name one of them as cluster.context, or set KUBECONFIG.`,
    );
  }
  return configuration;
}
