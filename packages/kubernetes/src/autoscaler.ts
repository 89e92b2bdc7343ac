import { setTimeout as sleep } from "node:timers/promises";
import type { Marker, VersionId, Weights } from "@bascule/core";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { releaseLabel } from "./labels.ts";
import type { Annotations } from "./router/markers.ts";
import { contains, liveObjectSchema, type LiveObject, type ObjectRouter } from "./router/object-router.ts";

export interface AutoscalerOptions {
  readonly release: string;
  readonly namespace: string;
  /** Its spec (autoscaling/v2) but for `scaleTargetRef`. `undefined`: none, so that one that was declared before goes. */
  readonly spec: Readonly<Record<string, unknown>> | undefined;
}

const conflictPauseMs = 50;

/**
 * A router whose release has one HorizontalPodAutoscaler, which sizes the version that serves: it is pointed at a version as soon as
 * that has everything, and back at the former one when traffic goes back. While two versions share the traffic, it sizes the stable
 * one. Without a spec, what an earlier declaration left is removed.
 */
export function withAutoscaler(
  router: ObjectRouter,
  api: Api,
  { release, namespace, spec }: AutoscalerOptions,
): ObjectRouter {
  const collection = `/apis/autoscaling/v2/namespaces/${encodeURIComponent(namespace)}/horizontalpodautoscalers`;
  const path = `${collection}/${encodeURIComponent(release)}`;

  const read = async (signal: AbortSignal): Promise<LiveObject | undefined> => {
    try {
      return await api.send({ method: "GET", path }, liveObjectSchema, signal);
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 404) return undefined;
      // Who declares no autoscaler needs no right to look for one.
      if (thrown instanceof ApiError && thrown.status === 403 && spec === undefined) return undefined;
      throw thrown;
    }
  };

  /** Writes until what is read back is what was wanted. */
  const settle = async (
    isSettled: (live: LiveObject | undefined) => boolean | Promise<boolean>,
    write: (live: LiveObject | undefined) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<void> => {
    for (;;) {
      const live = await read(signal);
      if (await isSettled(live)) return;
      try {
        await write(live);
      } catch (thrown) {
        if (!(thrown instanceof ApiError && [404, 409].includes(thrown.status))) throw thrown;
        await sleep(conflictPauseMs, undefined, { signal });
      }
    }
  };

  const pointAt = (version: VersionId, marker: Marker, signal: AbortSignal): Promise<void> => {
    if (spec === undefined) return remove(signal);
    const wanted = { ...spec, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: version } };
    let note: Annotations = {};
    return settle(
      async (live) => {
        note = await router.fence(marker, signal);
        return contains(live?.spec, wanted) && contains(live?.metadata.annotations, note);
      },
      async (live) => {
        const labels = { ...live?.metadata.labels, [releaseLabel]: release };
        const annotations = { ...live?.metadata.annotations, ...note };
        const metadata = { ...live?.metadata, name: release, namespace, labels, annotations };
        const body = { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata, spec: wanted };
        await api.send(
          live ? { method: "PUT", path, body } : { method: "POST", path: collection, body },
          z.unknown(),
          signal,
        );
      },
      signal,
    );
  };

  const remove = (signal: AbortSignal): Promise<void> =>
    settle(
      (live) => live?.metadata.labels[releaseLabel] !== release,
      () => api.send({ method: "DELETE", path }, z.unknown(), signal),
      signal,
    );

  return {
    ...router,
    shift: async (traffic, marker, signal) => {
      await router.shift(traffic, marker, signal);
      if (traffic.weights[marker.candidate] === 100) await pointAt(marker.candidate, marker, signal);
    },
    restore: async (origin, marker, signal) => {
      await router.restore(origin, marker, signal);
      const serving = heaviest(origin?.weights ?? {});
      if (origin === null) await remove(signal);
      else if (spec && serving !== undefined && (await read(signal))) await pointAt(serving, marker, signal);
    },
    remove: async (signal) => {
      await router.remove(signal);
      await remove(signal);
    },
  };
}

function heaviest(weights: Weights): VersionId | undefined {
  return Object.entries(weights).toSorted(([, left], [, right]) => right - left)[0]?.[0];
}
