import { setTimeout as sleep } from "node:timers/promises";
import { podsOf as podsOfSize, type CandidateSize, type VersionId } from "@bascule/core";
import type { Workload } from "@bascule/engine";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { releaseLabel, selectorText, versionLabel, versionSelector } from "./labels.ts";

/** A Pod that can serve. */
export interface ReadyPod {
  readonly name: string;
  readonly address: string;
}

/** The Pods of a release's versions. */
export interface KubernetesWorkload extends Workload {
  /** The versions that there are Deployments of. */
  versions(signal: AbortSignal): Promise<readonly VersionId[]>;
  readyPods(version: VersionId, signal: AbortSignal): Promise<readonly ReadyPod[]>;
  /** How many Pods a version should have, and how many are ready. */
  sizeOf(version: VersionId, signal: AbortSignal): Promise<VersionSize>;
  /**
   * Asks for so many Pods, without waiting for them. With a fence, the write leaves its note, and is refused by what it throws; the
   * Deployment is read before it is asked for, and the write bound to what was read.
   */
  resize(
    version: VersionId,
    replicas: number,
    signal: AbortSignal,
    fence?: (signal: AbortSignal) => Promise<Readonly<Record<string, string>>>,
  ): Promise<void>;
  /** Comes back when exactly so many Pods are ready, and none is left over. */
  untilSize(version: VersionId, replicas: number, signal: AbortSignal): Promise<void>;
}

/** The size of a version, in Pods. */
export interface VersionSize {
  readonly wanted: number;
  readonly ready: number;
  /** Those that are there, ready or not, and not about to go. */
  readonly present: number;
}

/** How large the versions of a release are, where that is not left to their Deployments. */
export const sizesSchema = z.strictObject({
  /** Full size, in Pods; with an autoscaler what it begins with. */
  replicas: z.int().min(0),
  /** The spec of the autoscaler that sizes what serves; a candidate becomes as large as that before it has everything. */
  autoscaler: z.record(z.string(), z.unknown()).optional(),
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
  metadata: z.looseObject({
    name: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.looseObject({ replicas: z.number().default(1) }),
});

const sizePollMs = 200;
const conflictPauseMs = 50;

export function kubernetesWorkload(
  api: Api,
  release: string,
  namespace: string,
  sizes: Sizes | undefined,
): KubernetesWorkload {
  const deployments = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/deployments`;
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const pathOf = (version: VersionId) => `${deployments}/${encodeURIComponent(version)}`;
  const deploymentsOf = (signal: AbortSignal) =>
    api.list(deployments, { labelSelector: `${releaseLabel}=${release},${versionLabel}` }, deploymentSchema, signal);
  const podsOf = (version: VersionId, signal: AbortSignal) =>
    api.list(collection, { labelSelector: selectorText(versionSelector(release, version)) }, podSchema, signal);

  const readDeployment = (version: VersionId, signal: AbortSignal) =>
    api.send({ method: "GET", path: pathOf(version) }, deploymentSchema, signal);

  const resize: KubernetesWorkload["resize"] = async (version, replicas, signal, fence) => {
    for (;;) {
      const { metadata, spec } = await readDeployment(version, signal);
      const annotations = (await fence?.(signal)) ?? {};
      const isNoted = Object.entries(annotations).every(([key, value]) => metadata.annotations[key] === value);
      if (spec.replicas === replicas && isNoted) return;
      const body = { metadata: { resourceVersion: metadata.resourceVersion, annotations }, spec: { replicas } };
      try {
        await api.send(
          { method: "PATCH", path: pathOf(version), body, contentType: "application/merge-patch+json" },
          z.unknown(),
          signal,
        );
      } catch (thrown) {
        // The status of a Deployment changes all the time: look again.
        if (!(thrown instanceof ApiError && thrown.status === 409)) throw thrown;
        await sleep(conflictPauseMs, undefined, { signal });
      }
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
  const fullSize = async (signal: AbortSignal): Promise<number> => {
    const declared = sizes?.replicas ?? 1;
    if (sizes?.autoscaler === undefined) return declared;
    return Math.max(declared, ...(await deploymentsOf(signal)).map(({ spec }) => spec.replicas));
  };

  const replicasOf = async (size: CandidateSize, signal: AbortSignal): Promise<number> =>
    "replicas" in size ? size.replicas : podsOfSize(size, await fullSize(signal));

  return {
    resize,
    untilSize,
    versions: async (signal) => (await deploymentsOf(signal)).map(({ metadata }) => metadata.name),
    sizeOf: async (version, signal) => {
      const { spec } = await readDeployment(version, signal);
      const pods = await podsOf(version, signal);
      const present = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined).length;
      return { wanted: spec.replicas, ready: pods.filter(isReady).length, present };
    },
    scale: async (version, size, signal) => {
      const replicas = await replicasOf(size, signal);
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
