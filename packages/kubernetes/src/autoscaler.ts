import type { Marker, Origin, VersionId } from "@bascule/core";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { fencedObjects, placeOf } from "./fenced-objects.ts";
import { releaseLabel } from "./labels.ts";
import { liveObjectSchema, type ObjectRouter } from "./router/object-router.ts";

type Spec = Readonly<Record<string, unknown>>;

export interface AutoscalerOptions {
  readonly release: string;
  readonly namespace: string;
  /** Its spec (autoscaling/v2) but for `scaleTargetRef`. `undefined`: none, so that one that was declared before goes. */
  readonly spec: Spec | undefined;
}

const kind = "HorizontalPodAutoscaler";

/** The router's own notes, and the autoscaler's spec as it was; `null`: there was none. */
const shapeSchema = z.strictObject({ router: z.string(), autoscaler: z.record(z.string(), z.unknown()).nullable() });

/**
 * A router whose release has one HorizontalPodAutoscaler, which sizes the version that serves: it is pointed at a version as soon as
 * that has everything, and is as it was again when traffic goes back. While two versions share the traffic, it sizes the stable one.
 */
export function withAutoscaler(router: ObjectRouter, api: Api, options: AutoscalerOptions): ObjectRouter {
  const { release, namespace, spec } = options;
  const place = placeOf(kind, namespace, release);
  const objects = fencedObjects(api, release, (marker, signal) => router.confirm(marker, signal));

  const readSpec = async (signal: AbortSignal): Promise<Spec | null> => {
    const path = `${place.collection}/${encodeURIComponent(release)}`;
    try {
      const { metadata, spec: found } = await api.send({ method: "GET", path }, liveObjectSchema, signal);
      return metadata.labels[releaseLabel] === release ? found : null;
    } catch (thrown) {
      // Who declares no autoscaler needs no right to look for one.
      const isNone = thrown instanceof ApiError && (thrown.status === 404 || (thrown.status === 403 && !spec));
      if (isNone) return null;
      throw thrown;
    }
  };

  const ensure = async (wanted: Spec, marker: Marker, signal: AbortSignal): Promise<void> => {
    const metadata = { name: release, namespace, labels: { [releaseLabel]: release } };
    await objects.ensure({ apiVersion: "autoscaling/v2", kind, metadata, spec: wanted }, marker, signal);
  };

  const removeIfThere = async (marker: Marker | undefined, signal: AbortSignal): Promise<void> => {
    if ((await readSpec(signal)) !== null) await objects.remove(place, marker, signal);
  };

  const pointAt = async (version: VersionId, marker: Marker, signal: AbortSignal): Promise<void> => {
    if (!spec) return removeIfThere(marker, signal);
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: version };
    return ensure({ ...spec, scaleTargetRef }, marker, signal);
  };

  return {
    ...router,
    observe: async (signal) => {
      const observation = await router.observe(signal);
      const shape = { router: observation.shape, autoscaler: await readSpec(signal) };
      return { ...observation, shape: JSON.stringify(shape) };
    },
    shift: async (traffic, marker, signal) => {
      await router.shift(traffic, marker, signal);
      if (traffic.weights[marker.candidate] === 100) await pointAt(marker.candidate, marker, signal);
    },
    restore: async (origin, marker, signal) => {
      const former = origin && shapeSchema.parse(JSON.parse(origin.shape));
      await router.restore(origin && former && withShape(origin, former.router), marker, signal);
      if (former?.autoscaler) await ensure(former.autoscaler, marker, signal);
      else await removeIfThere(marker, signal);
    },
    remove: async (signal) => {
      await router.remove(signal);
      await removeIfThere(undefined, signal);
    },
  };
}

function withShape(origin: Origin, shape: string): Origin {
  return { ...origin, shape };
}
