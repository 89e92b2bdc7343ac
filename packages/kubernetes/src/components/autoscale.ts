import { z } from "zod";

/** How a release is sized by load. */
export const autoscaleSchema = z
  .strictObject({
    /** Default: `replicas`. */
    minReplicas: z.int().min(1).optional(),
    maxReplicas: z.int().min(1),
    /** The share of the requested processor time, in per cent, that the Pods are kept at. Default 80 where `metrics` is not given. */
    targetCpuPercent: z.int().min(1).max(1_000).optional(),
    /** As Kubernetes has them (autoscaling/v2), in place of `targetCpuPercent`. */
    metrics: z
      .array(z.looseObject({ type: z.string() }))
      .min(1)
      .optional(),
    /** As Kubernetes has it (autoscaling/v2). */
    behavior: z.looseObject({}).optional(),
  })
  .refine(({ targetCpuPercent, metrics }) => targetCpuPercent === undefined || metrics === undefined, {
    path: ["targetCpuPercent"],
    error: "must not be given beside metrics: say it as one of them",
  })
  .refine(({ minReplicas, maxReplicas }) => minReplicas === undefined || minReplicas <= maxReplicas, {
    path: ["minReplicas"],
    error: "must not be more than maxReplicas",
  });

/** Sizes the version that serves by load, with a HorizontalPodAutoscaler that follows it. */
export type Autoscale = z.infer<typeof autoscaleSchema>;

const defaultCpuPercent = 80;

/** The autoscaler's spec but for what it scales, which is the version that serves. */
export function autoscalerSpec(
  { minReplicas, maxReplicas, targetCpuPercent, metrics, behavior }: Autoscale,
  replicas: number,
): Record<string, unknown> {
  const averageUtilization = targetCpuPercent ?? defaultCpuPercent;
  return {
    minReplicas: minReplicas ?? Math.max(1, Math.min(replicas, maxReplicas)),
    maxReplicas,
    metrics: metrics ?? [
      { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization } } },
    ],
    ...(behavior ? { behavior } : {}),
  };
}
