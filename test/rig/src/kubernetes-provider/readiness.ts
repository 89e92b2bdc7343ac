import { z } from "zod";
import type { Manifest } from "./manifest.ts";

/** Whether an object does its work yet; `failed` when it never will. */
export type Readiness = { readonly state: "ready" } | { readonly state: "waiting" | "failed"; readonly why: string };

const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
});
const conditions = z.array(condition).default([]);

const deploymentSchema = z.looseObject({
  metadata: z.looseObject({ generation: z.number().default(0) }),
  spec: z.looseObject({ replicas: z.number().default(1) }),
  status: z
    .looseObject({
      observedGeneration: z.number().default(0),
      updatedReplicas: z.number().default(0),
      availableReplicas: z.number().default(0),
      replicas: z.number().default(0),
      conditions,
    })
    .default({ observedGeneration: 0, updatedReplicas: 0, availableReplicas: 0, replicas: 0, conditions: [] }),
});
const withConditions = z.looseObject({ status: z.looseObject({ conditions }).default({ conditions: [] }) });
const withPhase = z.looseObject({ status: z.looseObject({ phase: z.string().optional() }).default({}) });
const serviceSchema = z.looseObject({
  spec: z
    .looseObject({
      type: z.string().optional(),
      clusterIP: z.string().optional(),
      selector: z.record(z.string(), z.string()).optional(),
    })
    .default({}),
  status: z
    .looseObject({
      loadBalancer: z.looseObject({ ingress: z.array(z.unknown()).default([]) }).default({ ingress: [] }),
    })
    .default({ loadBalancer: { ingress: [] } }),
});

/** The rules of the official provider, for one live object. `endpoints`: how many addresses its Service has ready. */
export function readinessOf(live: Manifest, endpoints: number): Readiness {
  switch (live.kind) {
    case "Deployment":
      return deployment(live);
    case "Job":
      return job(live);
    case "Pod":
      return pod(live);
    case "PersistentVolumeClaim":
      return withPhase.parse(live).status.phase === "Bound" ? ready : waiting("it is not bound yet");
    case "Service":
      return service(live, endpoints);
    default:
      return ready;
  }
}

const ready: Readiness = { state: "ready" };
const waiting = (why: string): Readiness => ({ state: "waiting", why });
const failed = (why: string): Readiness => ({ state: "failed", why });

function deployment(live: Manifest): Readiness {
  const { metadata, spec, status } = deploymentSchema.parse(live);
  if (status.observedGeneration < metadata.generation) return waiting("the controller has not seen it yet");
  const progressing = status.conditions.find(({ type }) => type === "Progressing");
  if (progressing?.status === "False") return failed(progressing.message ?? "it does not progress");
  const missing = spec.replicas - Math.min(status.updatedReplicas, status.availableReplicas);
  if (missing > 0) return waiting(`${spec.replicas - missing} of ${spec.replicas} Pods are available`);
  if (status.replicas > status.updatedReplicas) return waiting("Pods of the former revision are still there");
  return ready;
}

function job(live: Manifest): Readiness {
  const found = withConditions.parse(live).status.conditions.filter(({ status }) => status === "True");
  const failure = found.find(({ type }) => type === "Failed");
  if (failure) return failed(failure.message ?? "it failed");
  return found.some(({ type }) => type === "Complete") ? ready : waiting("it is not complete yet");
}

function pod(live: Manifest): Readiness {
  const { phase } = withPhase.parse(live).status;
  if (phase === "Failed") return failed("it failed");
  const isReady = withConditions
    .parse(live)
    .status.conditions.some(({ type, status }) => type === "Ready" && status === "True");
  return isReady || phase === "Succeeded" ? ready : waiting("it is not ready yet");
}

function service(live: Manifest, endpoints: number): Readiness {
  const { spec, status } = serviceSchema.parse(live);
  if (spec.type === "ExternalName") return ready;
  if (spec.type === "LoadBalancer" && status.loadBalancer.ingress.length === 0)
    return waiting("it has no external address yet");
  if (spec.clusterIP === "None" || Object.keys(spec.selector ?? {}).length === 0) return ready;
  return endpoints > 0 ? ready : waiting("it has no ready endpoints");
}

const containerSchema = z.looseObject({
  name: z.string(),
  restartCount: z.number().default(0),
  state: z
    .looseObject({
      waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).optional(),
    })
    .default({}),
  lastState: z
    .looseObject({ terminated: z.looseObject({ exitCode: z.number(), reason: z.string().optional() }).optional() })
    .default({}),
});
const podSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  status: z
    .looseObject({ conditions, containerStatuses: z.array(containerSchema).default([]) })
    .default({ conditions: [], containerStatuses: [] }),
});

/** Why a Pod does not get ready, in words; nothing when it is or only needs time. */
export function troubleOf(pod: unknown): string | undefined {
  const { metadata, status } = podSchema.parse(pod);
  const unscheduled = status.conditions.find(
    ({ type, reason }) => type === "PodScheduled" && reason === "Unschedulable",
  );
  if (unscheduled) return `Pod ${metadata.name} cannot be scheduled: ${unscheduled.message ?? "no node fits"}`;
  for (const container of status.containerStatuses) {
    const { waiting: hold } = container.state;
    const exit = container.lastState.terminated;
    if (exit)
      return `container ${container.name} of Pod ${metadata.name} ended with code ${exit.exitCode} and was restarted ${container.restartCount} times`;
    if (hold?.reason && hold.reason !== "ContainerCreating" && hold.reason !== "PodInitializing") {
      return `container ${container.name} of Pod ${metadata.name}: ${hold.reason}${hold.message ? `: ${hold.message}` : ""}`;
    }
  }
  return undefined;
}
