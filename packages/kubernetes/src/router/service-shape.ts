import { z } from "zod";

const portNumber = z.int().min(1).max(65_535);

/** What a release declares of its Service; who has the traffic is not part of it. */
export const serviceShapeSchema = z.strictObject({
  name: z.string().min(1),
  namespace: z.string().min(1),
  type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]),
  ports: z.array(z.strictObject({ name: z.string().min(1), port: portNumber, targetPort: portNumber })).min(1),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
});
export type ServiceShape = z.infer<typeof serviceShapeSchema>;

const strings = z.record(z.string(), z.string()).default({});

/** A Service as the API has it: what is used here, and all the rest kept as it is. */
export const serviceSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    resourceVersion: z.string(),
    uid: z.string().optional(),
    labels: strings,
    annotations: strings,
  }),
  spec: z.looseObject({
    clusterIP: z.string().optional(),
    type: z.string().default("ClusterIP"),
    selector: strings,
    ports: z
      .array(
        z.looseObject({
          name: z.string().optional(),
          port: z.number(),
          targetPort: z.union([z.number(), z.string()]).optional(),
          nodePort: z.number().optional(),
        }),
      )
      .default([]),
  }),
});
export type LiveService = z.infer<typeof serviceSchema>;

/** The live Service in the terms of the declaration: what was added by others is left out, what was changed shows. */
export function shapeOf(live: LiveService, declared: ServiceShape): ServiceShape {
  return {
    name: declared.name,
    namespace: declared.namespace,
    type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]).catch("ClusterIP").parse(live.spec.type),
    ports: live.spec.ports.map(({ name, port, targetPort }) => ({
      name: name ?? "",
      port,
      targetPort: Number(targetPort ?? port),
    })),
    labels: pick(live.metadata.labels, declared.labels),
    annotations: pick(live.metadata.annotations, declared.annotations),
  };
}

function pick(
  live: Readonly<Record<string, string>>,
  declared: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(live).filter(([key]) => key in declared));
}
