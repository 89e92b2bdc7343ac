import type { VersionId } from "@bascule/core";
import type { Workload } from "@bascule/engine";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { selectorText, versionSelector } from "./labels.ts";

/** A Pod that can serve. */
export interface ReadyPod {
  readonly name: string;
  readonly address: string;
}

/** The Pods of a release's versions. */
export interface KubernetesWorkload extends Workload {
  readyPods(version: VersionId, signal: AbortSignal): Promise<readonly ReadyPod[]>;
}

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

export function kubernetesWorkload(api: Api, release: string, namespace: string): KubernetesWorkload {
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const podsOf = (version: VersionId, signal: AbortSignal) =>
    api.list(collection, { labelSelector: selectorText(versionSelector(release, version)) }, podSchema, signal);

  return {
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
