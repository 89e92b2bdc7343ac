import { setTimeout as sleep } from "node:timers/promises";
import type { Marker } from "@bascule/core";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { releaseLabel } from "./labels.ts";
import { fenceNote } from "./router/markers.ts";
import { contains, liveObjectSchema, type LiveObject } from "./router/object-router.ts";

/** An object as it should be: all that the API calls it, and the fields that matter here. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Where an object is kept in the API. */
export interface ObjectPlace {
  /** For example `/apis/apps/v1/namespaces/shop/deployments`. */
  readonly collection: string;
  readonly name: string;
  /** For messages, for example `Deployment shop/web`. */
  readonly title: string;
}

/**
 * Objects of a release that stand beside its router object. A writer that is late is refused: each write of an object is bound to
 * what was read of it *before* the router object was seen to carry our marker, and whoever claims the router then fences what is
 * there. Only what was made by a late writer stays; it has no traffic, and the next run that comes to its end removes it.
 */
export interface FencedObjects {
  /**
   * Makes the object as wanted, and gives back what was read then. What others added to it stays.
   *
   * @throws RouterConflict when another run has the router; Error when the object belongs to something else
   */
  ensure(manifest: Manifest, marker: Marker, signal: AbortSignal): Promise<LiveObject>;
  /**
   * Leaves the object as it is, but written by this claim, so that whatever an earlier one still has under way is refused.
   *
   * @throws RouterConflict when another run has the router
   */
  fence(place: ObjectPlace, marker: Marker, signal: AbortSignal): Promise<void>;
  /**
   * Removes the object; the objects that it owns are removed by the cluster afterwards. Without a marker, because the release is
   * removed and there is no router object any more.
   *
   * @throws RouterConflict when another run has the router
   */
  remove(place: ObjectPlace, marker: Marker | undefined, signal: AbortSignal): Promise<void>;
}

const conflictPauseMs = 50;
const anything = z.unknown();

const collections: Readonly<Record<string, string>> = {
  ConfigMap: "api/v1/namespaces/{namespace}/configmaps",
  Service: "api/v1/namespaces/{namespace}/services",
  Deployment: "apis/apps/v1/namespaces/{namespace}/deployments",
  PodDisruptionBudget: "apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
  HorizontalPodAutoscaler: "apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
};

/** The path of the collection that holds a kind of object. */
export function collectionOf(kind: string, namespace: string): string {
  const template = collections[kind];
  if (template === undefined) throw new RangeError(`There is no collection known for ${kind}; this is a defect.`);
  return `/${template.replace("{namespace}", encodeURIComponent(namespace))}`;
}

/** Where an object of a namespace is kept. */
export function placeOf(kind: string, namespace: string, name: string): ObjectPlace {
  return { collection: collectionOf(kind, namespace), name, title: `${kind} ${namespace}/${name}` };
}

/** @param confirm throws RouterConflict unless the router object carries this marker */
export function fencedObjects(
  api: Api,
  release: string,
  confirm: (marker: Marker, signal: AbortSignal) => Promise<void>,
): FencedObjects {
  const pathOf = ({ collection, name }: ObjectPlace) => `${collection}/${encodeURIComponent(name)}`;

  const read = async (place: ObjectPlace, signal: AbortSignal): Promise<LiveObject | undefined> => {
    try {
      return await api.send({ method: "GET", path: pathOf(place) }, liveObjectSchema, signal);
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 404) return undefined;
      throw thrown;
    }
  };

  /** Writes until what is read back is what was wanted. */
  const settle = async (
    place: ObjectPlace,
    marker: Marker | undefined,
    isSettled: (live: LiveObject | undefined) => boolean,
    write: (live: LiveObject | undefined) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<LiveObject | undefined> => {
    for (let attempt = 0; ; attempt++) {
      // The first attempt writes, the second reads back what was written.
      if (attempt > 1) await sleep(conflictPauseMs, undefined, { signal });
      const live = await read(place, signal);
      if (isSettled(live)) return live;
      if (live) mustBeOfRelease(live, place, release);
      if (marker) await confirm(marker, signal);
      try {
        await write(live);
      } catch (thrown) {
        // Somebody else wrote in between, or our own write arrived although its answer did not: look again.
        if (!(thrown instanceof ApiError && [404, 409].includes(thrown.status))) throw thrown;
      }
    }
  };

  return {
    ensure: async (manifest, marker, signal) => {
      const { apiVersion, kind, metadata: wanted, ...fields } = manifest;
      const place = placeOf(kind, wanted.namespace, wanted.name);
      const fence = fenceNote(marker);
      const live = await settle(
        place,
        marker,
        (found) =>
          found !== undefined &&
          !isGoing(found) &&
          contains(found.metadata.annotations, fence) &&
          contains(found.metadata.labels, wanted.labels) &&
          contains(found, fields),
        async (found) => {
          // What is about to go is made anew once it is gone.
          if (found && isGoing(found)) return;
          const metadata = {
            ...found?.metadata,
            ...wanted,
            labels: { ...found?.metadata.labels, ...wanted.labels },
            annotations: { ...found?.metadata.annotations, ...fence },
          };
          const body = { ...merged(found, fields), apiVersion, kind, metadata };
          await api.send(
            found ? { method: "PUT", path: pathOf(place), body } : { method: "POST", path: place.collection, body },
            anything,
            signal,
          );
        },
        signal,
      );
      if (!live) throw new Error(`The ${place.title} was removed by somebody.`);
      return live;
    },

    fence: async (place, marker, signal) => {
      const annotations = fenceNote(marker);
      await settle(
        place,
        marker,
        (found) => found === undefined || contains(found.metadata.annotations, annotations),
        (found) => {
          const body = { metadata: { resourceVersion: found?.metadata.resourceVersion, annotations } };
          const contentType = "application/merge-patch+json";
          return api.send({ method: "PATCH", path: pathOf(place), body, contentType }, anything, signal);
        },
        signal,
      );
    },

    remove: async (place, marker, signal) => {
      await settle(
        place,
        marker,
        (found) => found === undefined || isGoing(found),
        (found) => {
          const preconditions = { resourceVersion: found?.metadata.resourceVersion };
          const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions, propagationPolicy: "Background" };
          return api.send({ method: "DELETE", path: pathOf(place), body }, anything, signal);
        },
        signal,
      );
    },
  };
}

function mustBeOfRelease({ metadata }: LiveObject, { title }: ObjectPlace, release: string): void {
  if (metadata.labels[releaseLabel] === release) return;
  throw new Error(`The ${title} is not of the release ${release}: rename it, so that the release can have this name.`);
}

const goingSchema = z.looseObject({ deletionTimestamp: z.string() });

function isGoing({ metadata }: LiveObject): boolean {
  return goingSchema.safeParse(metadata).success;
}

/** Of a spec, what the server or others have set stays where nothing is said of it. */
function merged(live: LiveObject | undefined, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { spec } = fields;
  return typeof spec === "object" ? { ...fields, spec: { ...live?.spec, ...spec } } : { ...fields };
}
