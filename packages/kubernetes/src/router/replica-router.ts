import { setTimeout as sleep } from "node:timers/promises";
import {
  nextReplicaCounts,
  planReplicaCounts,
  replicaLimitsOf,
  replicaLimitsSchema,
  type Marker,
  type ReplicaCounts,
  type Traffic,
  type VersionId,
  type Weights,
} from "@bascule/core";
import { z } from "zod";
import type { Api } from "../api.ts";
import { releaseLabel, versionSelector, weightsAnnotation } from "../labels.ts";
import type { KubernetesWorkload } from "../workload.ts";
import { mustBeAble, type RouterAbilities } from "./abilities.ts";
import { objectRouter, type LiveObject, type ObjectRouter, type TrafficObject } from "./object-router.ts";
import { declaredService, isSameService, selectorOf, weightsOfSelector } from "./service-router.ts";
import { serviceFields, shapeOf } from "./service-shape.ts";

/** A Service whose traffic follows the number of Pods of each version. */
export const replicaShapeSchema = z.strictObject({
  kind: z.literal("replicas"),
  ...serviceFields,
  /** Pods of all versions together, without the surge. */
  replicas: z.int().min(1),
  ...replicaLimitsSchema.required().shape,
});
export type ReplicaShape = z.infer<typeof replicaShapeSchema>;

export const replicaAbilities: RouterAbilities = {
  title: "a split by numbers of Pods",
  weights: true,
  matches: false,
  mirror: false,
  affinity: false,
  sentence: "Numbers of Pods split requests by weight alone.",
};

/** What is noted on the Service while two versions share it. */
const noteSchema = z.strictObject({
  weights: z.record(z.string(), z.number()),
  /** The Pods that stand for these weights. */
  sizes: z.record(z.string(), z.int().min(0)),
});

/** Two versions that share the traffic. */
interface Pair {
  readonly stable: VersionId;
  readonly candidate: VersionId;
}

const pollMs = 200;

/** A version that may get traffic again keeps a Pod, so that it can be verified and switched to. */
const smallest = 1;

/**
 * Splits the traffic of a Service by the number of Pods of two versions, for clusters without a router that knows weights. While
 * sizes change there are never more Pods than the surge allows, and never fewer ready ones than the limit. Going back switches the
 * Service to the stable version at once, and gives it its former size afterwards.
 */
export function replicaRouter(
  api: Api,
  release: string,
  shape: ReplicaShape,
  workload: KubernetesWorkload,
  isServed: (versions: readonly VersionId[], signal: AbortSignal) => Promise<boolean>,
): ObjectRouter {
  const { maxSurge, maxUnavailable, replicas } = shape;
  const limits = replicaLimitsOf(replicas, { maxSurge, maxUnavailable });
  // The stable version keeps a Pod while the candidate has everything, so that going back is a switch; without a surge there is no room.
  const kept = limits.surge > 0 ? smallest : 0;
  const base = objectRouter(api, release, replicaTraffic(release, shape), isServed, {
    weightsOf: (live, signal) => weightsOf(live, signal),
    notesOf: ({ weights }, candidate) => noteOf(weights, candidate),
  });

  /** A version that has everything is told by the selector. */
  const noteOf = (weights: Weights, candidate: VersionId): Readonly<Record<string, string | undefined>> => {
    if (Object.keys(weights).length < 2) return { [weightsAnnotation]: undefined };
    return { [weightsAnnotation]: JSON.stringify({ weights, sizes: sizesFor(weights, candidate) }) };
  };

  const sizesFor = (weights: Weights, candidate: VersionId): Readonly<Record<VersionId, number>> => {
    const counts = countsFor(weights, candidate);
    return Object.fromEntries(
      Object.keys(weights).map((version) => [version, version === candidate ? counts.candidate : counts.stable]),
    );
  };

  const countsFor = (weights: Weights, candidate: VersionId): ReplicaCounts =>
    planReplicaCounts({ total: replicas, maxSurge, maxUnavailable, weightPercent: weights[candidate] ?? 0 });

  /** What was planned, as long as the sizes are still those; otherwise what the sizes make of it. */
  const weightsOf = async (live: LiveObject, signal: AbortSignal): Promise<Weights> => {
    const selector = selectorOf(live.spec);
    if (!isOfBoth(release, selector)) return weightsOfSelector(release, selector);
    const sizes = await sizesOfAll(signal);
    const note = noteSchema.safeParse(parsed(live.metadata.annotations[weightsAnnotation])).data;
    if (note && isAsNoted(sizes, note.sizes)) return note.weights;
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    return Object.fromEntries(
      Object.entries(sizes)
        .filter(([, size]) => size > 0)
        .map(([version, size]) => [version, Math.round((size / total) * 100_000) / 1_000]),
    );
  };

  const sizesOfAll = async (signal: AbortSignal): Promise<Readonly<Record<VersionId, number>>> => {
    const versions = await workload.versions(signal);
    const sizes = await Promise.all(versions.map(async (version) => (await workload.sizeOf(version, signal)).wanted));
    return Object.fromEntries(versions.map((version, index) => [version, sizes[index] ?? 0]));
  };

  /** Nobody but the two may answer: what is left of a version that was not accepted would get its share. */
  const emptyOthers = async (versions: readonly VersionId[], marker: Marker, signal: AbortSignal): Promise<void> => {
    for (const other of await workload.versions(signal)) {
      if (versions.includes(other)) continue;
      await resize(other, 0, marker, signal);
      await workload.untilSize(other, 0, signal);
    }
  };

  const resize = async (version: VersionId, replicas: number, marker: Marker, signal: AbortSignal): Promise<void> => {
    await workload.resize(version, replicas, signal, (either) => base.fence(marker, either));
  };

  /** Changes both sizes in turn until they are as planned, within the limits at every moment. */
  const approach = async (
    { stable, candidate }: Pair,
    target: ReplicaCounts,
    marker: Marker,
    signal: AbortSignal,
  ): Promise<void> => {
    for (;;) {
      const current = { stable: await observed(stable, signal), candidate: await observed(candidate, signal) };
      const { sizes, isReached } = nextReplicaCounts(current, target, limits);
      if (isReached) return;
      if (sizes.stable !== current.stable.wanted) await resize(stable, sizes.stable, marker, signal);
      if (sizes.candidate !== current.candidate.wanted) await resize(candidate, sizes.candidate, marker, signal);
      await sleep(pollMs, undefined, { signal });
    }
  };

  const observed = async (version: VersionId, signal: AbortSignal) => {
    const { wanted, ready } = await workload.sizeOf(version, signal);
    return { wanted, available: ready };
  };

  /** The version that has the traffic beside the candidate, or had it before. */
  const stableBeside = (candidate: VersionId, { weights }: Traffic, marker: Marker): VersionId | undefined => {
    const others = [...Object.keys(weights), ...Object.keys(marker.origin?.weights ?? {})].filter(
      (version) => version !== candidate,
    );
    const [stable, third] = new Set(others);
    if (third !== undefined)
      throw new Error(`The sizes of two versions make a split, not of three: ${third} is there too.`);
    return stable;
  };

  /** Before both versions answer, the candidate is no larger than its share; a switch of everything goes through a split as well. */
  const enterSplit = async (
    { stable, candidate }: Pair,
    weightPercent: number,
    target: ReplicaCounts,
    marker: Marker,
    signal: AbortSignal,
  ): Promise<void> => {
    const { wanted } = await workload.sizeOf(candidate, signal);
    const share = weightPercent < 100 ? target.candidate : smallest;
    await settle(candidate, Math.max(smallest, Math.min(wanted, share)), marker, signal);
    if (weightPercent < 100) return;
    const weights = { [stable]: 100 - firstSharePercent, [candidate]: firstSharePercent };
    await base.shift({ weights }, marker, signal);
  };

  const settle = async (version: VersionId, size: number, marker: Marker, signal: AbortSignal): Promise<void> => {
    await resize(version, size, marker, signal);
    await workload.untilSize(version, size, signal);
  };

  /** Waits until a version that has no ready Pod has one; its size is put right afterwards. */
  const revive = async (version: VersionId, marker: Marker, signal: AbortSignal): Promise<void> => {
    const { ready } = await workload.sizeOf(version, signal);
    if (ready > 0) return;
    await resize(version, replicas, marker, signal);
    while ((await workload.sizeOf(version, signal)).ready === 0) await sleep(pollMs, undefined, { signal });
  };

  return {
    ...base,

    shift: async (traffic, marker, signal) => {
      const { candidate } = marker;
      mustBeAble(replicaAbilities, traffic, candidate);
      const stable = stableBeside(candidate, traffic, marker);
      const versions = await workload.versions(signal);
      if (!versions.includes(candidate)) {
        throw new Error(`No Pod of ${candidate} is ready, so no traffic is moved to it.`);
      }
      const weightPercent = traffic.weights[candidate] ?? 0;
      if (stable === undefined || !versions.includes(stable)) {
        const { wanted } = await workload.sizeOf(candidate, signal);
        if (wanted < replicas) await settle(candidate, replicas, marker, signal);
        await base.shift(traffic, marker, signal);
        if (wanted > replicas) await settle(candidate, replicas, marker, signal);
        return;
      }
      const pair = { stable, candidate };
      const target = countsFor(traffic.weights, candidate);
      await emptyOthers([stable, candidate], marker, signal);
      const seen = await base.observe(signal);
      if (Object.keys(seen.weights).length < 2) await enterSplit(pair, weightPercent, target, marker, signal);
      if (weightPercent < 100) {
        await base.shift(traffic, marker, signal);
        await approach(pair, target, marker, signal);
        return;
      }
      await approach(pair, { candidate: replicas, stable: kept }, marker, signal);
      await base.shift(traffic, marker, signal);
    },

    restore: async (origin, marker, signal) => {
      const { candidate } = marker;
      const weights = origin?.weights ?? {};
      const versions = await workload.versions(signal);
      const [stable] = Object.keys(weights).sort((left, right) => (weights[right] ?? 0) - (weights[left] ?? 0));
      const isKnown = Object.keys(weights).every((version) => versions.includes(version));
      if (stable === undefined || !isKnown) return base.restore(origin, marker, signal);
      await revive(stable, marker, signal);
      await base.restore(origin, marker, signal);
      const sizes = sizesFor(weights, candidate);
      await settle(stable, sizes[stable] ?? replicas, marker, signal);
      for (const version of versions.filter((other) => other !== stable)) {
        if (version in sizes || version === candidate) {
          await resize(version, sizes[version] ?? smallest, marker, signal);
        }
      }
    },
  };
}

/** The share with which a cut-over of everything at once begins. */
const firstSharePercent = 1;

function isAsNoted(sizes: Readonly<Record<VersionId, number>>, noted: Readonly<Record<VersionId, number>>): boolean {
  const versions = new Set([...Object.keys(sizes), ...Object.keys(noted)]);
  return [...versions].every((version) => (sizes[version] ?? 0) === (noted[version] ?? 0));
}

/** Picks the Pods of every version of a release. */
function isOfBoth(release: string, selector: Readonly<Record<string, string>>): boolean {
  return Object.keys(selector).length === 1 && selector[releaseLabel] === release;
}

function replicaTraffic(release: string, shape: ReplicaShape): TrafficObject {
  const { kind: _kind, replicas, maxSurge, maxUnavailable, ...service } = shape;
  return {
    kind: "Service",
    apiVersion: "v1",
    collection: `/api/v1/namespaces/${encodeURIComponent(shape.namespace)}/services`,
    name: shape.name,
    namespace: shape.namespace,
    labels: shape.labels,
    annotations: shape.annotations,

    declaredSpec: (live) => declaredService(service, live),
    withTraffic: (spec, traffic, candidate) => ({ ...spec, selector: selectorFor(release, traffic, candidate) }),
    weightsOf: (spec) => {
      const selector = selectorOf(spec);
      return isOfBoth(release, selector) ? {} : weightsOfSelector(release, selector);
    },
    isSame: isSameService,
    shapeOf: (live): ReplicaShape => ({
      kind: "replicas",
      ...shapeOf(live, service),
      replicas,
      maxSurge,
      maxUnavailable,
    }),
  };
}

function selectorFor(release: string, traffic: Traffic, candidate: VersionId): Record<string, string> {
  mustBeAble(replicaAbilities, traffic, candidate);
  const [version, second] = Object.keys(traffic.weights);
  if (version === undefined) return {};
  return second === undefined ? versionSelector(release, version) : { [releaseLabel]: release };
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
