import { randomBytes } from "node:crypto";
import { z } from "zod";

/** A Kubernetes object, of which only what every kind has is known. */
export const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z
    .looseObject({
      name: z.string().exactOptional(),
      namespace: z.string().exactOptional(),
      annotations: z.record(z.string(), z.string()).exactOptional(),
      generation: z.number().exactOptional(),
    })
    .default({}),
});
export type Manifest = z.infer<typeof manifestSchema>;

const clusterWide = new Set([
  "Namespace",
  "Node",
  "PersistentVolume",
  "ClusterRole",
  "ClusterRoleBinding",
  "StorageClass",
  "CustomResourceDefinition",
  "PriorityClass",
  "IngressClass",
  "GatewayClass",
  "RuntimeClass",
]);

/** The declared object with a name of its own (the logical name and eight hexadecimal digits) and a namespace where it has none. */
export function withIdentity(declared: Manifest, logicalName: string, previousName: string | undefined): Manifest {
  const name = declared.metadata.name ?? previousName ?? `${logicalName}-${randomBytes(4).toString("hex")}`;
  const namespace = clusterWide.has(declared.kind) ? {} : { namespace: declared.metadata.namespace ?? "default" };
  return { ...declared, metadata: { ...declared.metadata, name, ...namespace } };
}

/** The resource's id: `namespace/name`, or the name alone of what has no namespace. */
export function idOf({ metadata }: Manifest): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : `${metadata.name}`;
}
