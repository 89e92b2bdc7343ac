import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, type Marker } from "@bascule/core";
import { mirrorServerText } from "@bascule/mirror";
import { z } from "zod";
import type { Api } from "../api.ts";
import { collectionOf, placeOf, type FencedObjects, type Manifest } from "../fenced-objects.ts";
import { mirrorLabel, mirrorToLabel, releaseLabel, selectorText } from "../labels.ts";
import {
  mirrorBudget,
  mirrorDeployment,
  mirrorLabels,
  mirrorName,
  mirrorProgram,
  mirrorServices,
  type MirrorAddresses,
  type MirroredRelease,
  type MirrorPair,
} from "./mirror-objects.ts";
import type { MirrorSpec } from "./mirror-spec.ts";

/** The mirrors of a release: at most one is used, others are left of earlier runs. */
export interface Mirrors {
  /** Makes the mirror of a pair, or gives it this share, and comes back when all of its Pods are ready. */
  start(pair: MirrorPair, sharePercent: number, marker: Marker, signal: AbortSignal): Promise<void>;
  /** Refuses what an earlier run may still have under way. */
  fence(marker: Marker, signal: AbortSignal): Promise<void>;
  /** Tells all mirrors to end but those that are kept. They go on passing requests on until no client comes to them any more. */
  end(kept: KeptMirrors, marker: Marker | undefined, signal: AbortSignal): Promise<void>;
  /**
   * Waits until the mirrors that were told to end have ended, and removes what they needed for that. What takes too long is left for
   * the next time.
   */
  clear(marker: Marker | undefined, signal: AbortSignal): Promise<void>;
}

/** The mirrors that stay: those in front of a version, or only one of these; `undefined`: none. */
export type KeptMirrors = Pick<MirrorPair, "stable"> | MirrorPair | undefined;

const pollMs = 250;
/** Somewhat longer than a Pod is given to end. */
const drainLimitMs = 40_000;
/** A label's value, as Kubernetes takes it. */
const labelValue = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

const labelled = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
});
type Labelled = z.infer<typeof labelled>;
const serviceSchema = z.looseObject({ spec: z.looseObject({ clusterIP: z.string().min(1) }) });
const deploymentSchema = z.looseObject({
  metadata: z.looseObject({ generation: z.number().default(0) }),
  status: z
    .looseObject({
      observedGeneration: z.number().default(0),
      replicas: z.number().default(0),
      updatedReplicas: z.number().default(0),
      readyReplicas: z.number().default(0),
    })
    .prefault({}),
});
const waiting = z.looseObject({ reason: z.string().default(""), message: z.string().default("") });
const podSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  status: z
    .looseObject({
      containerStatuses: z
        .array(
          z.looseObject({
            ready: z.boolean().default(false),
            state: z.looseObject({ waiting: waiting.optional() }).prefault({}),
          }),
        )
        .default([]),
    })
    .prefault({}),
});

/** What is removed once a mirror has ended. The Services go last, because a mirror of which they are left is found by them. */
const leftKinds = ["PodDisruptionBudget", "ConfigMap", "Service"] as const;

export function kubernetesMirrors(
  api: Api,
  objects: FencedObjects,
  mirrored: MirroredRelease,
  spec: MirrorSpec,
): Mirrors {
  const { release, namespace } = mirrored;
  const ofRelease = `${releaseLabel}=${release},${mirrorLabel}`;
  const list = (kind: string, labelSelector: string, signal: AbortSignal) =>
    api.list(collectionOf(kind, namespace), { labelSelector }, labelled, signal);
  const podsPath = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;

  const addressesOf = async (pair: MirrorPair, marker: Marker, signal: AbortSignal): Promise<MirrorAddresses> => {
    const services = mirrorServices(mirrored, pair);
    const addressOf = async (manifest: Manifest): Promise<string> => {
      const { clusterIP } = serviceSchema.parse(await objects.ensure(manifest, marker, signal)).spec;
      return `http://${clusterIP.includes(":") ? `[${clusterIP}]` : clusterIP}:${mirrored.containerPort}`;
    };
    return { primary: await addressOf(services.primary), shadow: await addressOf(services.shadow) };
  };

  const untilReady = async (pair: MirrorPair, signal: AbortSignal): Promise<void> => {
    const deadlineMs = performance.now() + spec.readyLimitMs;
    const path = `${collectionOf("Deployment", namespace)}/${encodeURIComponent(mirrorName(release, pair))}`;
    for (;;) {
      const { metadata, status } = await api.send({ method: "GET", path }, deploymentSchema, signal);
      const isCurrent = status.observedGeneration >= metadata.generation && status.replicas === spec.replicas;
      if (isCurrent && status.updatedReplicas === spec.replicas && status.readyReplicas === spec.replicas) return;
      if (performance.now() > deadlineMs) {
        const why = await reasonFor(pair, signal);
        throw new Error(
          `The mirror ${namespace}/${mirrorName(release, pair)} was not ready within ${spec.readyLimitMs / 1_000} s: ${status.readyReplicas} of ${spec.replicas} Pods are${why}`,
        );
      }
      await sleep(pollMs, undefined, { signal });
    }
  };

  const reasonFor = async (pair: MirrorPair, signal: AbortSignal): Promise<string> => {
    try {
      const labelSelector = selectorText(mirrorLabels(release, pair));
      const pods = await api.list(podsPath, { labelSelector }, podSchema, signal);
      const states = pods.flatMap(({ status }) => status.containerStatuses.filter(({ ready }) => !ready));
      const why = states.map(({ state }) => state.waiting).find((state) => state && state.reason !== "");
      return why ? `; the other waits: ${why.reason} ${why.message}`.trimEnd() : "";
    } catch (thrown) {
      return `; why cannot be read: ${messageOf(thrown)}`;
    }
  };

  return {
    start: async (pair, sharePercent, marker, signal) => {
      for (const version of [pair.stable, pair.candidate]) {
        if (labelValue.test(version)) continue;
        throw new Error(
          `Requests to ${version} cannot be copied, because that is no version of ${release}: release once without a mirror, so that the Service is led to a version of its own.`,
        );
      }
      const addresses = await addressesOf(pair, marker, signal);
      const program = mirrorProgram(mirrored, pair, mirrorServerText());
      const deployment = mirrorDeployment(mirrored, pair, spec, sharePercent, addresses, program);
      for (const manifest of [program, mirrorBudget(mirrored, pair), deployment]) {
        await objects.ensure(manifest, marker, signal);
      }
      await untilReady(pair, signal);
    },

    fence: async (marker, signal) => {
      for (const { metadata } of await list("Deployment", ofRelease, signal)) {
        await objects.fence(placeOf("Deployment", namespace, metadata.name), marker, signal);
      }
    },

    end: async (kept, marker, signal) => {
      for (const { metadata } of await list("Deployment", ofRelease, signal)) {
        if (isKept(metadata.labels, kept)) continue;
        await objects.remove(placeOf("Deployment", namespace, metadata.name), marker, signal);
      }
    },

    clear: async (marker, signal) => {
      if ((await list("Service", ofRelease, signal)).length === 0) return;
      const running = new Set((await list("Deployment", ofRelease, signal)).map(pairOf));
      const isLeft = (object: Labelled) => !running.has(pairOf(object));
      const deadlineMs = performance.now() + drainLimitMs;
      while ((await api.list(podsPath, { labelSelector: ofRelease }, labelled, signal)).some(isLeft)) {
        if (performance.now() > deadlineMs) return;
        await sleep(pollMs, undefined, { signal });
      }
      for (const kind of leftKinds) {
        for (const { metadata } of (await list(kind, ofRelease, signal)).filter(isLeft)) {
          await objects.remove(placeOf(kind, namespace, metadata.name), marker, signal);
        }
      }
    },
  };
}

/** Which versions an object's mirror stands between. */
function pairOf({ metadata: { labels } }: Labelled): string {
  return JSON.stringify([labels[mirrorLabel], labels[mirrorToLabel]]);
}

function isKept(labels: Readonly<Record<string, string>>, kept: KeptMirrors): boolean {
  if (kept === undefined || kept.stable !== labels[mirrorLabel]) return false;
  return !("candidate" in kept) || kept.candidate === labels[mirrorToLabel];
}
