import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  sameWeights,
  type Marker,
  type Origin,
  type RouterObservation,
  type Traffic,
  type VersionId,
  type Weights,
} from "@bascule/core";
import { RouterConflict, type Router } from "@bascule/engine";
import { z } from "zod";
import { ApiError, type Api } from "../api.ts";
import { abortAnnotation, releaseLabel } from "../labels.ts";
import {
  fenceNote,
  isSameClaim,
  markerIn,
  markerNote,
  memoryIn,
  notOurs,
  remembering,
  renewed,
  restoreCount,
  restoreNote,
  withoutAbort,
  withoutRest,
  withoutTransaction,
  type Annotations,
} from "./markers.ts";

/** The spec of an object, as the API has it. */
export type Spec = Readonly<Record<string, unknown>>;

const strings = z.record(z.string(), z.string()).default({});

/** An object as the API has it: what is used here, and all the rest kept as it is. */
export const liveObjectSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), resourceVersion: z.string(), labels: strings, annotations: strings }),
  spec: z.record(z.string(), z.unknown()).default({}),
});
export type LiveObject = z.infer<typeof liveObjectSchema>;

/** How one kind of object splits traffic. All of it pure: the router reads and writes. */
export interface TrafficObject {
  /** For example `Service`. */
  readonly kind: string;
  /** For example `v1`, `gateway.networking.k8s.io/v1`. */
  readonly apiVersion: string;
  /** The path of its collection in the API, for example `/api/v1/namespaces/shop/services`. */
  readonly collection: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Annotations;
  /** The declared spec, over what is there; who has the traffic is set afterwards. */
  declaredSpec(live: Spec | undefined): Spec;
  /** The spec with this traffic. Throws for what this kind of object cannot do. */
  withTraffic(spec: Spec, traffic: Traffic, candidate: VersionId): Spec;
  /** Who has the traffic. What is not ours has a name too, so that a change by hand shows and can be put back. */
  weightsOf(spec: Spec): Weights;
  /** Whether the live spec means what was wanted; the API fills in defaults, so it may say more. */
  isSame(live: Spec, wanted: Spec): boolean;
  /** The live object in the terms of the declaration: what was added by others is left out, what was changed shows. */
  shapeOf(live: LiveObject): unknown;
}

/** What has to happen around the write of an object that is not all there is to its traffic. Each looks at the marker for itself. */
export interface AroundWrites {
  /** Who has the traffic, where the object alone does not tell. */
  weightsOf?(live: LiveObject, signal: AbortSignal): Promise<Weights>;
  /** After the marker was written: what an earlier run still has under way beside the object has to be refused from here on. */
  afterClaim?(marker: Marker, signal: AbortSignal): Promise<void>;
  beforeShift?(traffic: Traffic, marker: Marker, signal: AbortSignal): Promise<void>;
  afterShift?(traffic: Traffic, marker: Marker, signal: AbortSignal): Promise<void>;
  beforeRestore?(marker: Marker, signal: AbortSignal): Promise<void>;
  /** After traffic has gone back. With `null`, there is no object any more. */
  afterRestore?(weights: Weights | null, marker: Marker, signal: AbortSignal): Promise<void>;
  /** While the marker is still there. */
  beforeRelease?(marker: Marker, signal: AbortSignal): Promise<void>;
  /** After the object was removed for good. */
  afterRemove?(signal: AbortSignal): Promise<void>;
  /** Notes that a shift leaves on the object, beside the marker; `undefined` takes one away. */
  notesOf?(traffic: Traffic, candidate: VersionId): Readonly<Record<string, string | undefined>>;
}

/** A {@link Router} that also shows and removes its object. */
export interface ObjectRouter extends Router {
  read(signal: AbortSignal): Promise<LiveObject | undefined>;
  readShape(signal: AbortSignal): Promise<unknown>;
  remove(signal: AbortSignal): Promise<void>;
  /** @throws RouterConflict when the object does not carry our marker: what stands beside it is then not ours either */
  confirm(marker: Marker, signal: AbortSignal): Promise<void>;
  /**
   * The note to leave on an object that stands beside the router object. To be asked for after that object was read and before it is
   * written, and the write to be bound to what was read: then whatever another run writes there after its claim stays.
   *
   * @throws RouterConflict as `confirm`
   */
  fence(marker: Marker, signal: AbortSignal): Promise<Annotations>;
}

/** An object as it should be; `null`: not at all. */
type Desired = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Annotations;
  readonly spec: Spec;
} | null;

/** What the object was before, kept in the marker. */
const formerSchema = z.strictObject({
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  spec: z.record(z.string(), z.unknown()),
});

const conflictPauseMs = 50;
const anything = z.unknown();

/**
 * Moves traffic by one object of the Kubernetes API, which belongs to this router alone. Marker and traffic change in one write,
 * bound to the version of the object that was read, and each write is read back.
 *
 * @param isServed whether any of these versions has a Pod that is ready
 */
export function objectRouter(
  api: Api,
  release: string,
  object: TrafficObject,
  isServed: (versions: readonly VersionId[], signal: AbortSignal) => Promise<boolean>,
  around: AroundWrites = {},
): ObjectRouter {
  const path = `${object.collection}/${encodeURIComponent(object.name)}`;
  const title = `${object.kind} ${object.namespace}/${object.name}`;

  const read = async (signal: AbortSignal): Promise<LiveObject | undefined> => {
    try {
      return await api.send({ method: "GET", path }, liveObjectSchema, signal);
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 404) return undefined;
      throw thrown;
    }
  };

  const weightsOf = async (live: LiveObject, signal: AbortSignal): Promise<Weights> =>
    around.weightsOf ? around.weightsOf(live, signal) : object.weightsOf(live.spec);

  /** Writes until what is read back is what was wanted; `decide` looks at the live object each time and may refuse. */
  const settle = async (
    decide: (live: LiveObject | undefined) => Desired | Promise<Desired>,
    signal: AbortSignal,
  ): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      // The first attempt writes, the second reads back what was written.
      if (attempt > 1) await sleep(conflictPauseMs, undefined, { signal });
      const live = await read(signal);
      const desired = await decide(live);
      if (isAsDesired(live, desired)) return;
      try {
        await write(live, desired, signal);
      } catch (thrown) {
        // Somebody else wrote in between, or our own write arrived although its answer did not: look again.
        if (!(thrown instanceof ApiError && [404, 409].includes(thrown.status))) throw thrown;
      }
    }
  };

  const isAsDesired = (live: LiveObject | undefined, desired: Desired): boolean => {
    if (desired === null || live === undefined) return desired === null && live === undefined;
    return (
      contains(live.metadata.labels, desired.labels) &&
      equals(live.metadata.annotations, desired.annotations) &&
      object.isSame(live.spec, desired.spec)
    );
  };

  const write = async (live: LiveObject | undefined, desired: Desired, signal: AbortSignal): Promise<void> => {
    const resourceVersion = live?.metadata.resourceVersion;
    if (desired === null) {
      const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { resourceVersion } };
      await api.send({ method: "DELETE", path, body }, anything, signal);
      return;
    }
    const { labels, annotations, spec } = desired;
    const metadata = { ...live?.metadata, name: object.name, namespace: object.namespace, labels, annotations };
    const body = { apiVersion: object.apiVersion, kind: object.kind, metadata, spec };
    await api.send(
      live ? { method: "PUT", path, body } : { method: "POST", path: object.collection, body },
      anything,
      signal,
    );
  };

  const declared = (live: LiveObject | undefined, traffic: Traffic, marker: Marker): Desired => ({
    labels: { ...live?.metadata.labels, ...object.labels, [releaseLabel]: release },
    annotations: noted({
      ...live?.metadata.annotations,
      ...object.annotations,
      ...around.notesOf?.(traffic, marker.candidate),
      ...markerNote(marker),
    }),
    spec: object.withTraffic(object.declaredSpec(live?.spec), traffic, marker.candidate),
  });

  const restored = ({ shape, weights, leavesRest }: Origin, marker: Marker, count: number): Desired => {
    const { candidate } = marker;
    const { labels, annotations, spec } = formerSchema.parse(JSON.parse(shape));
    const isFormer = leavesRest !== true && sameWeights(object.weightsOf(spec), weights);
    return {
      labels,
      annotations: noted({
        ...(leavesRest === true ? withoutRest(annotations) : annotations),
        ...around.notesOf?.({ weights }, candidate),
        ...markerNote(marker),
        ...restoreNote(count),
      }),
      // An object that was deleted by hand comes back as it was: a Service with its address, which clients may know by heart.
      spec: isFormer ? spec : object.withTraffic(spec, { weights }, candidate),
    };
  };

  const withAnnotations = (live: LiveObject, annotations: Annotations): Desired => ({
    labels: live.metadata.labels,
    annotations,
    spec: live.spec,
  });

  const mustBeOurs = (live: LiveObject, marker: Marker): void => {
    const found = markerIn(live.metadata.annotations);
    if (!isSameClaim(found, marker)) throw notOurs(found, title);
  };

  const fence = async (marker: Marker, signal: AbortSignal): Promise<Annotations> => {
    const live = await read(signal);
    if (live) mustBeOurs(live, marker);
    return fenceNote(marker, live?.metadata.annotations);
  };
  const confirm = async (marker: Marker, signal: AbortSignal): Promise<void> => {
    await fence(marker, signal);
  };

  return {
    read,
    confirm,
    fence,
    readShape: async (signal) => {
      const live = await read(signal);
      return live && object.shapeOf(live);
    },

    observe: async (signal): Promise<RouterObservation> => {
      const live = await read(signal);
      if (!live) return { exists: false, weights: {}, marker: null, shape: "" };
      const weights = await weightsOf(live, signal);
      const { labels, annotations } = live.metadata;
      return {
        exists: true,
        weights,
        marker: markerIn(annotations),
        memory: memoryIn(annotations),
        shape: JSON.stringify({ labels, annotations: withoutTransaction(annotations), spec: live.spec }),
        served: Object.keys(weights).length > 0 && (await isServed(Object.keys(weights), signal)),
      };
    },

    claim: async (marker, expects, signal) => {
      await settle(async (live) => {
        const found = live ? markerIn(live.metadata.annotations) : null;
        if (found?.transaction !== marker.transaction) {
          if (!isSameClaim(found, expects.marker)) throw notOurs(found, title);
          const weights = live ? await weightsOf(live, signal) : null;
          const rest = live && memoryIn(live.metadata.annotations).rest;
          if (found === null && !(isExpected(weights, expects.weights) && isDeepStrictEqual(rest, expects.rest))) {
            throw new RouterConflict(`The ${title} was changed by another run after it was looked at.`);
          }
        }
        if (!live) return declared(undefined, { weights: {} }, marker);
        return withAnnotations(live, { ...withoutAbort(live.metadata.annotations), ...markerNote(marker) });
      }, signal);
      await around.afterClaim?.(marker, signal);
    },

    shift: async (traffic, marker, signal) => {
      // What this kind of object cannot do is refused before anything is written.
      object.withTraffic(object.declaredSpec(undefined), traffic, marker.candidate);
      const served = Object.keys(traffic.weights);
      // A run that was asleep for long may come back when its candidate was removed; nobody would answer there.
      if (!(await isServed([marker.candidate], signal)) || !(await isServed(served, signal))) {
        throw new Error(`No Pod of ${marker.candidate} is ready, so no traffic is moved to it.`);
      }
      await confirm(marker, signal);
      await around.beforeShift?.(traffic, marker, signal);
      await settle((live) => {
        if (!live) throw new Error(`The ${title} was deleted by somebody while traffic was moved.`);
        mustBeOurs(live, marker);
        return declared(live, traffic, marker);
      }, signal);
      await around.afterShift?.(traffic, marker, signal);
    },

    restore: async (origin, marker, signal) => {
      await around.beforeRestore?.(marker, signal);
      let count: number | undefined;
      await settle((live) => {
        if (live) mustBeOurs(live, marker);
        // Also what looks as it should is written: a shift that was given up may still be on its way, and would arrive afterwards.
        count ??= restoreCount(live?.metadata.annotations) + 1;
        return origin === null ? null : restored(origin, marker, count);
      }, signal);
      await around.afterRestore?.(origin?.weights ?? null, marker, signal);
    },

    renew: async (marker, signal) => {
      let abortRequested = false;
      await settle((live) => {
        if (!live) throw new Error(`The ${title} is gone.`);
        mustBeOurs(live, marker);
        const { annotations } = live.metadata;
        abortRequested = abortAnnotation in annotations;
        return withAnnotations(live, { ...annotations, ...markerNote(renewed(markerIn(annotations), marker)) });
      }, signal);
      return { abortRequested };
    },

    release: async (marker, memory, signal) => {
      await around.beforeRelease?.(marker, signal);
      let hadMarker = false;
      await settle((live) => {
        if (!live) throw notOurs(null, title);
        const found = markerIn(live.metadata.annotations);
        if (found?.transaction === marker.transaction) hadMarker = true;
        else if (found !== null || !hadMarker) throw notOurs(found, title);
        const annotations = withoutTransaction(live.metadata.annotations);
        return withAnnotations(live, memory ? remembering(annotations, memory) : annotations);
      }, signal);
    },

    remove: async (signal) => {
      await settle(() => null, signal);
      await around.afterRemove?.(signal);
    },
  };
}

/** Whether the object is still what a claim believes it to be: another run may have come and gone since it was observed. */
function isExpected(found: Weights | null, expected: Weights | null): boolean {
  if (found === null || expected === null) return found === expected;
  return sameWeights(found, expected);
}

function noted(notes: Readonly<Record<string, string | undefined>>): Annotations {
  return Object.fromEntries(
    Object.entries(notes).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function equals(left: Annotations, right: Annotations): boolean {
  return contains(left, right) && Object.keys(left).length === Object.keys(right).length;
}

/** Whether the whole says at least what the part says; lists have to be of one length. */
export function contains(whole: unknown, part: unknown): boolean {
  if (typeof part !== "object" || part === null) return whole === part;
  if (typeof whole !== "object" || whole === null) return false;
  if (Array.isArray(part) && (!Array.isArray(whole) || whole.length !== part.length)) return false;
  const fields = new Map(Object.entries(whole));
  return Object.entries(part).every(([key, value]) => contains(fields.get(key), value));
}
