import { setTimeout as sleep } from "node:timers/promises";
import type { CandidateSize, VersionId } from "@bascule/core";
import type { Workload } from "@bascule/engine";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { releaseLabel, selectorText, versionSelector } from "./labels.ts";

/** A Pod that can serve. */
export interface ReadyPod {
  readonly name: string;
  readonly address: string;
}

/** The Pods of a release's versions. */
export interface KubernetesWorkload extends Workload {
  readyPods(version: VersionId, signal: AbortSignal): Promise<readonly ReadyPod[]>;
  /** How many Pods a version should have, and how many are ready. */
  sizeOf(version: VersionId, signal: AbortSignal): Promise<VersionSize>;
  /** Asks for so many Pods, without waiting for them. */
  resize(version: VersionId, replicas: number, signal: AbortSignal): Promise<void>;
  /** Comes back when exactly so many Pods are ready, and none is left over. */
  untilSize(version: VersionId, replicas: number, signal: AbortSignal): Promise<void>;
}

/** The size of a version, in Pods. */
export interface VersionSize {
  readonly wanted: number;
  readonly ready: number;
}

/** How large the versions of a release are, where that is not left to their Deployments. */
export const sizesSchema = z.strictObject({
  /** Full size, in Pods; with an autoscaler its minimum. */
  replicas: z.int().min(0),
  /** An autoscaler sizes what serves, so a candidate becomes as large as that before it has traffic. */
  isAutoscaled: z.boolean(),
});
export type Sizes = z.infer<typeof sizesSchema>;

/** What is used of a Pod. */
export const podSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), deletionTimestamp: z.string().optional() }),
  status: z
    .looseObject({
      podIP: z.string().optional(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]),
    })
    .default({ conditions: [] }),
});

const deploymentSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: z.looseObject({ replicas: z.number().default(1) }),
});

const sizePollMs = 200;

export function kubernetesWorkload(
  api: Api,
  release: string,
  namespace: string,
  sizes: Sizes | undefined,
): KubernetesWorkload {
  const deployments = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/deployments`;
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const podsOf = (version: VersionId, signal: AbortSignal) =>
    api.list(collection, { labelSelector: selectorText(versionSelector(release, version)) }, podSchema, signal);

  const resize = async (version: VersionId, replicas: number, signal: AbortSignal): Promise<void> => {
    const path = `${deployments}/${encodeURIComponent(version)}`;
    const body = { spec: { replicas } };
    await api.send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" }, z.unknown(), signal);
    const { spec } = await api.send({ method: "GET", path }, deploymentSchema, signal);
    if (spec.replicas !== replicas) {
      throw new Error(
        `The Deployment ${namespace}/${version} was scaled to ${spec.replicas} by somebody, not to ${replicas}.`,
      );
    }
  };

  const untilSize = async (version: VersionId, replicas: number, signal: AbortSignal): Promise<void> => {
    for (;;) {
      const pods = (await podsOf(version, signal)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const ready = pods.filter(isReady).length;
      if (ready === replicas && pods.length === replicas) return;
      await sleep(sizePollMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) throw new Error(`${version} has ${ready} ready Pods of ${replicas}.`);
    }
  };

  /** The size that serves now, which an autoscaler may have raised over the declared one. */
  const fullSize = async (version: VersionId, signal: AbortSignal): Promise<number> => {
    const declared = sizes?.replicas ?? 1;
    if (sizes?.isAutoscaled !== true) return declared;
    const all = await api.list(deployments, { labelSelector: `${releaseLabel}=${release}` }, deploymentSchema, signal);
    const others = all.filter(({ metadata }) => metadata.name !== version).map(({ spec }) => spec.replicas);
    return Math.max(declared, ...others);
  };

  const replicasOf = async (version: VersionId, size: CandidateSize, signal: AbortSignal): Promise<number> =>
    "replicas" in size ? size.replicas : Math.ceil(((await fullSize(version, signal)) * size.percent) / 100);

  return {
    resize,
    untilSize,
    sizeOf: async (version, signal) => {
      const path = `${deployments}/${encodeURIComponent(version)}`;
      const { spec } = await api.send({ method: "GET", path }, deploymentSchema, signal);
      const pods = await podsOf(version, signal);
      return { wanted: spec.replicas, ready: pods.filter(isReady).length };
    },
    scale: async (version, size, signal) => {
      const replicas = await replicasOf(version, size, signal);
      await resize(version, replicas, signal);
      await untilSize(version, replicas, signal);
    },

    readyPods: async (version, signal) => {
      const pods = await podsOf(version, signal);
      return pods.filter(isReady).map(({ metadata, status }) => ({ name: metadata.name, address: status.podIP ?? "" }));
    },

    // The Deployment makes new Pods, so it stays as it was declared; only the connections to the old ones end, gracefully.
    disconnect: async (version, signal) => {
      for (const { metadata } of await podsOf(version, signal)) {
        try {
          await api.send(
            { method: "DELETE", path: `${collection}/${encodeURIComponent(metadata.name)}` },
            z.unknown(),
            signal,
          );
        } catch (thrown) {
          if (!(thrown instanceof ApiError && thrown.status === 404)) throw thrown;
        }
      }
    },
  };
}

/** Whether a Pod gets the traffic of the Services that select it. */
export function isReady({ metadata, status }: z.infer<typeof podSchema>): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True")
  );
}
