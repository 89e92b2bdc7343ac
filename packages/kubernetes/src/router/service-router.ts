import { isDeepStrictEqual } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import {
  canonicalJson,
  markerSchema,
  sameWeights,
  type Marker,
  type Origin,
  type RouterObservation,
  type Weights,
} from "@bascule/core";
import { RouterConflict, type Router } from "@bascule/engine";
import { z } from "zod";
import { ApiError, type Api } from "../api.ts";
import {
  abortAnnotation,
  markerAnnotation,
  releaseLabel,
  selectorText,
  versionLabel,
  versionSelector,
} from "../labels.ts";
import { isReady, podSchema } from "../workload.ts";
import { serviceSchema, shapeOf, type LiveService, type ServiceShape } from "./service-shape.ts";

/** A Service as it should be; `null`: not at all. */
type Desired = { readonly metadata: Record<string, unknown>; readonly spec: Record<string, unknown> } | null;

/** What the Service was before, kept in the marker. */
const originShapeSchema = z.strictObject({
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  spec: z.record(z.string(), z.unknown()),
});

const conflictPauseMs = 50;

/** A {@link Router} that also shows and removes the Service. */
export interface ServiceRouter extends Router {
  read(signal: AbortSignal): Promise<LiveService | undefined>;
  readShape(signal: AbortSignal): Promise<ServiceShape | undefined>;
  remove(signal: AbortSignal): Promise<void>;
}

/**
 * Switches the traffic of a Service from one version to another by its selector. The Service belongs to this router alone. The
 * marker and the selector change in one write, bound to the version of the object that was read, and each write is read back.
 */
export function serviceRouter(api: Api, release: string, shape: ServiceShape): ServiceRouter {
  const namespace = `/api/v1/namespaces/${encodeURIComponent(shape.namespace)}`;
  const collection = `${namespace}/services`;
  const path = `${collection}/${encodeURIComponent(shape.name)}`;

  const read = async (signal: AbortSignal): Promise<LiveService | undefined> => {
    try {
      return await api.send({ method: "GET", path }, serviceSchema, signal);
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 404) return undefined;
      throw thrown;
    }
  };

  /** Whether any Pod gets the traffic that a selector picks. */
  const isServed = async (selector: Readonly<Record<string, string>>, signal: AbortSignal): Promise<boolean> => {
    if (Object.keys(selector).length === 0) return false;
    const pods = await api.list(`${namespace}/pods`, { labelSelector: selectorText(selector) }, podSchema, signal);
    return pods.some(isReady);
  };

  /** Writes until what is read back is what was wanted; `decide` looks at the live object each time and may refuse. */
  const settle = async (decide: (live: LiveService | undefined) => Desired, signal: AbortSignal): Promise<void> => {
    for (;;) {
      const live = await read(signal);
      const desired = decide(live);
      if (isAsDesired(live, desired)) return;
      try {
        await write(live, desired, signal);
      } catch (thrown) {
        // Somebody else wrote in between, or our own write arrived although its answer did not: look again.
        if (!(thrown instanceof ApiError && [404, 409].includes(thrown.status))) throw thrown;
        await sleep(conflictPauseMs, undefined, { signal });
      }
    }
  };

  const write = async (live: LiveService | undefined, desired: Desired, signal: AbortSignal): Promise<void> => {
    const anything = z.unknown();
    if (desired === null) {
      const preconditions = { resourceVersion: live?.metadata.resourceVersion };
      await api.send(
        { method: "DELETE", path, body: { apiVersion: "v1", kind: "DeleteOptions", preconditions } },
        anything,
        signal,
      );
      return;
    }
    const body = { apiVersion: "v1", kind: "Service", ...desired };
    if (live) {
      const metadata = { ...desired.metadata, resourceVersion: live.metadata.resourceVersion };
      await api.send({ method: "PUT", path, body: { ...body, metadata } }, anything, signal);
      return;
    }
    await api.send({ method: "POST", path: collection, body }, anything, signal);
  };

  /** The declared Service, with this selector and this marker, over what is there. */
  const declared = (live: LiveService | undefined, selector: Record<string, string>, marker: Marker): Desired => ({
    metadata: {
      name: shape.name,
      namespace: shape.namespace,
      labels: { ...live?.metadata.labels, ...shape.labels, [releaseLabel]: release },
      annotations: { ...live?.metadata.annotations, ...shape.annotations, ...markerNote(marker) },
    },
    spec: {
      ...live?.spec,
      type: shape.type,
      selector,
      ports: shape.ports.map((port) => ({
        ...live?.spec.ports.find(({ name }) => name === port.name),
        ...port,
        protocol: "TCP",
      })),
    },
  });

  const withAnnotations = (live: LiveService, annotations: Record<string, string>): Desired => ({
    metadata: { ...live.metadata, annotations },
    spec: live.spec,
  });

  const restored = (origin: Origin, live: LiveService | undefined, marker: Marker): Desired => {
    const former = originShapeSchema.parse(JSON.parse(origin.shape));
    return {
      metadata: {
        name: shape.name,
        namespace: shape.namespace,
        labels: former.labels,
        annotations: { ...former.annotations, ...markerNote(marker) },
      },
      // A Service that was deleted by hand comes back with its former address, which clients may know by heart.
      spec: live ? { ...former.spec } : former.spec,
    };
  };

  return {
    read,
    readShape: async (signal) => {
      const live = await read(signal);
      return live && shapeOf(live, shape);
    },

    observe: async (signal) => {
      const live = await read(signal);
      if (!live) return { exists: false, weights: {}, marker: null, shape: "" };
      return { ...observationOf(live, release), served: await isServed(live.spec.selector, signal) };
    },

    claim: (marker, expects, signal) =>
      settle((live) => {
        const found = live ? markerOf(live) : null;
        if (found?.transaction !== marker.transaction) {
          if (!isSameMarker(found, expects)) throw conflict(found, shape);
          if (found === null && !isOrigin(live, marker.origin, release)) {
            throw new RouterConflict(
              `The Service ${shape.namespace}/${shape.name} was changed by another run after it was looked at.`,
            );
          }
        }
        return live
          ? withAnnotations(live, { ...withoutAbort(live), ...markerNote(marker) })
          : declared(undefined, {}, marker);
      }, signal),

    shift: async (weights, marker, signal) => {
      const selector = selectorFor(release, weights);
      // A run that was asleep for long may come back when its candidate was removed; nobody would answer there.
      if (!(await isServed(selector, signal))) {
        throw new Error(`No Pod of ${Object.keys(weights).join(", ")} is ready, so no traffic is moved to it.`);
      }
      await settle((live) => {
        if (!live)
          throw new Error(
            `The Service ${shape.namespace}/${shape.name} was deleted by somebody while traffic was moved.`,
          );
        mustBeOurs(live, marker, shape);
        return declared(live, selector, marker);
      }, signal);
    },

    restore: (origin, marker, signal) =>
      settle((live) => {
        if (live) mustBeOurs(live, marker, shape);
        return origin === null ? null : restored(origin, live, marker);
      }, signal),

    renew: async (marker, signal) => {
      let abortRequested = false;
      await settle((live) => {
        if (!live) throw new Error(`The Service ${shape.namespace}/${shape.name} is gone.`);
        mustBeOurs(live, marker, shape);
        abortRequested = abortAnnotation in live.metadata.annotations;
        const found = markerOf(live);
        return withAnnotations(live, {
          ...live.metadata.annotations,
          ...(found ? markerNote({ ...found, leaseUntilMs: marker.leaseUntilMs }) : {}),
        });
      }, signal);
      return { abortRequested };
    },

    release: async (marker, signal) => {
      let hadMarker = false;
      await settle((live) => {
        if (!live) throw conflict(null, shape);
        const found = markerOf(live);
        if (found?.transaction === marker.transaction) hadMarker = true;
        else if (found !== null || !hadMarker) throw conflict(found, shape);
        const { [markerAnnotation]: _marker, ...annotations } = withoutAbort(live);
        return withAnnotations(live, annotations);
      }, signal);
    },

    remove: (signal) => settle(() => null, signal),
  };
}

function observationOf(live: LiveService, release: string): RouterObservation {
  const { [markerAnnotation]: _marker, [abortAnnotation]: _abort, ...annotations } = live.metadata.annotations;
  const { labels } = live.metadata;
  return {
    exists: true,
    weights: weightsOf(live.spec.selector, release),
    marker: markerOf(live),
    shape: JSON.stringify({ labels, annotations, spec: live.spec }),
  };
}

/** A selector that is not one of ours has a name too, so that a change by hand shows and can be put back. */
function weightsOf(selector: Readonly<Record<string, string>>, release: string): Weights {
  if (Object.keys(selector).length === 0) return {};
  const version = selector[versionLabel];
  const isOurs = version !== undefined && isDeepStrictEqual(selector, versionSelector(release, version));
  return { [isOurs ? version : `selector ${canonicalJson(selector)}`]: 100 };
}

function selectorFor(release: string, weights: Weights): Record<string, string> {
  const served = Object.entries(weights).filter(([, weight]) => weight > 0);
  const [only] = served;
  if (served.length !== 1 || only?.[1] !== 100) {
    throw new Error("A Service sends all its traffic to one version; a split needs a router with weights.");
  }
  return versionSelector(release, only[0]);
}

function markerNote(marker: Marker): Record<string, string> {
  return { [markerAnnotation]: canonicalJson(marker) };
}

function markerOf(live: LiveService): Marker | null {
  const text = live.metadata.annotations[markerAnnotation];
  return text === undefined ? null : markerSchema.parse(JSON.parse(text));
}

function withoutAbort({ metadata }: LiveService): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.annotations).filter(([key]) => key !== abortAnnotation));
}

/** A renewed lease is still the same claim. */
function isSameMarker(left: Marker | null, right: Marker | null): boolean {
  return left?.transaction === right?.transaction && left?.fencing === right?.fencing;
}

/** Whether the object is still what a claim believes it to be: another run may have come and gone since it was observed. */
function isOrigin(live: LiveService | undefined, origin: Origin | null, release: string): boolean {
  if (!live || !origin) return !live && !origin;
  return sameWeights(weightsOf(live.spec.selector, release), origin.weights);
}

function mustBeOurs(live: LiveService, marker: Marker, shape: ServiceShape): void {
  const found = markerOf(live);
  if (found?.transaction !== marker.transaction || found.fencing !== marker.fencing) throw conflict(found, shape);
}

function conflict(found: Marker | null, { namespace, name }: ServiceShape): RouterConflict {
  const holder = found
    ? `transaction ${found.transaction} of process ${found.owner.processId} on ${found.owner.host} has it`
    : "its marker was removed by somebody";
  return new RouterConflict(`The Service ${namespace}/${name} is not ours to change: ${holder}.`);
}

function isAsDesired(live: LiveService | undefined, desired: Desired): boolean {
  if (desired === null || live === undefined) return desired === null && live === undefined;
  return (
    contains(live.metadata, { labels: desired.metadata["labels"] }) &&
    isDeepStrictEqual(live.metadata.annotations, desired.metadata["annotations"]) &&
    isSameSpec(live, desired.spec)
  );
}

/** Kubernetes fills in defaults, so the live one may say more; but it may have no other selector and no other ports. */
function isSameSpec(live: LiveService, spec: Record<string, unknown>): boolean {
  const ports = z.array(z.unknown()).parse(spec["ports"] ?? []);
  return (
    isDeepStrictEqual(live.spec.selector, spec["selector"] ?? {}) &&
    live.spec.ports.length === ports.length &&
    ports.every((port, index) => contains(live.spec.ports[index], port)) &&
    contains(live.spec, { type: spec["type"] })
  );
}

function contains(whole: unknown, part: unknown): boolean {
  if (typeof part !== "object" || part === null) return whole === part;
  if (typeof whole !== "object" || whole === null) return false;
  const fields = new Map(Object.entries(whole));
  return Object.entries(part).every(([key, value]) => contains(fields.get(key), value));
}
