import { z } from "zod";
import { mirrorSpecSchema } from "../mirror/mirror-spec.ts";
import type { LiveObject } from "./object-router.ts";

export const portNumber = z.int().min(1).max(65_535);

/** What a release declares of its Service; who has the traffic is not part of it. */
export const serviceFields = {
  name: z.string().min(1),
  namespace: z.string().min(1),
  type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]),
  ports: z.array(z.strictObject({ name: z.string().min(1), port: portNumber, targetPort: portNumber })).min(1),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
};
export const serviceShapeSchema = z.strictObject({
  kind: z.literal("service"),
  ...serviceFields,
  /** How requests are copied, where a plan copies them. Default: by the mirror's own defaults. */
  mirror: mirrorSpecSchema.optional(),
});
export type ServiceSwitchShape = z.infer<typeof serviceShapeSchema>;

/** The fields of a Service, whoever switches it. */
export type ServiceShape = Omit<ServiceSwitchShape, "kind" | "mirror">;

/** What is used of a Service's spec. */
const specSchema = z.looseObject({
  clusterIP: z.string().optional(),
  type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]).catch("ClusterIP"),
  ports: z
    .array(
      z.looseObject({
        name: z.string().default(""),
        port: z.number(),
        targetPort: z.union([z.number(), z.string()]).optional(),
      }),
    )
    .default([]),
});

/** The live Service in the terms of the declaration: what was added by others is left out, what was changed shows. */
export function shapeOf(live: LiveObject, declared: ServiceShape): ServiceShape {
  const { type, ports } = specSchema.parse(live.spec);
  return {
    name: declared.name,
    namespace: declared.namespace,
    type,
    ports: ports.map(({ name, port, targetPort }) => ({ name, port, targetPort: Number(targetPort ?? port) })),
    labels: pick(live.metadata.labels, declared.labels),
    annotations: pick(live.metadata.annotations, declared.annotations),
  };
}

/** The address that a Service was given inside the cluster. */
export function clusterAddressOf(live: LiveObject | undefined): string | undefined {
  return live && specSchema.parse(live.spec).clusterIP;
}

/** What is declared, as it is now. */
export function pick(
  live: Readonly<Record<string, string>>,
  declared: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(live).filter(([key]) => key in declared));
}
