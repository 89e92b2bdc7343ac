import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Marker, Traffic, VersionId, Weights } from "@bascule/core";
import { z } from "zod";
import { ApiError, type Api } from "../api.ts";
import { releaseLabel } from "../labels.ts";
import { mustBeAble, weighted, type RouterAbilities } from "./abilities.ts";
import {
  canaryAnnotations,
  hasShare,
  isCanaryAnnotation,
  matchesProblem,
  noShare,
  weightPercentIn,
  type CanaryShare,
} from "./canary-annotations.ts";
import type { Entrance } from "./entrance.ts";
import { fenceNote, isSameClaim, markerIn, notOurs, type Annotations } from "./markers.ts";
import {
  contains,
  liveObjectSchema,
  objectRouter,
  type LiveObject,
  type ObjectRouter,
  type Spec,
  type TrafficObject,
} from "./object-router.ts";
import { pick, portNumber } from "./service-shape.ts";

const text = z.string().min(1);

/** What a release declares of its Ingress; who has the traffic is not part of it. */
export const ingressNginxShapeSchema = z.strictObject({
  kind: z.literal("ingressNginx"),
  name: text,
  namespace: text,
  ingressClassName: text,
  /** Empty: every host. */
  hosts: z.array(text),
  pathPrefix: z.string().startsWith("/"),
  /** The port of each version's Service. */
  servicePort: portNumber,
  tls: z.array(z.strictObject({ hosts: z.array(text), secretName: text })),
  labels: z.record(z.string(), z.string()),
  /** Sticky sessions among them hold users at the version that they met until it loses everything, whatever its weight is. */
  annotations: z
    .record(z.string(), z.string())
    .refine((annotations) => !Object.keys(annotations).some(isCanaryAnnotation), {
      error: "must leave the canary annotations of ingress-nginx to the cut-over, which writes them",
    }),
});
export type IngressNginxShape = z.infer<typeof ingressNginxShapeSchema>;

export const ingressNginxAbilities: RouterAbilities = {
  title: "ingress-nginx",
  weights: true,
  matches: true,
  mirror: false,
  affinity: false,
  sentence:
    'ingress-nginx splits requests between two versions by weight, and picks them by the values of one header and by one cookie whose value is "always".',
  limitOf: (traffic, candidate) => {
    const versions = new Set([...weighted(traffic), ...(traffic.matches ? [candidate] : [])]);
    return versions.size > 2
      ? `ingress-nginx splits requests between two versions, not between ${[...versions].join(", ")}. Give all traffic to one of them first`
      : matchesProblem(traffic.matches ?? []);
  },
};

const portSchema = z.object({ number: z.number().optional(), name: z.string().optional() });
const pathSchema = z.object({
  path: z.string().optional(),
  pathType: z.string(),
  backend: z.object({
    service: z.object({ name: z.string(), port: portSchema }).optional(),
    resource: z.unknown().optional(),
  }),
});
type Path = z.infer<typeof pathSchema>;
const ruleSchema = z.object({
  host: z.string().optional(),
  http: z.object({ paths: z.array(pathSchema) }).optional(),
});
type Rule = z.infer<typeof ruleSchema>;
/** All of the spec that has a meaning here. */
const specSchema = z.object({
  ingressClassName: z.string().optional(),
  defaultBackend: z.unknown().optional(),
  tls: z.array(z.object({ hosts: z.array(z.string()).default([]), secretName: z.string().optional() })).default([]),
  rules: z.array(ruleSchema).default([]),
});

/** What the second Ingress should be: where it sends its share. */
interface Canary extends CanaryShare {
  readonly service: string;
}

/** `leave`: as it is, whatever that is; `fence`: as it is, but written by this transaction. */
type CanaryWish = Canary | null | "leave" | "fence";

const conflictPauseMs = 50;
const anything = z.unknown();
const serviceName = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Splits requests by the canary annotations of ingress-nginx. The router object is the main Ingress; a second one beside it,
 * `<name>-canary`, takes its share from it while a transaction is under way or traffic is split. In the time between, it names the
 * version without traffic, so that ingress-nginx knows its Pods before the switch, there and back.
 *
 * - The main Ingress is written first, then the canary. In between, both name versions that serve; where both name the same one,
 *   ingress-nginx ignores the canary, as long as it is the younger of the two.
 *   (https://github.com/kubernetes/ingress-nginx, `mergeAlternativeBackends` and `createUpstreams` in `controller.go`)
 * - A writer that is late is refused: each write of the canary is bound to what was read of it *before* the marker on the main Ingress
 *   was seen to be ours, and whoever claims the router writes the canary after its marker. It is made without a share, so that even
 *   a late creation moves nothing.
 */
export function ingressNginxRouter(
  api: Api,
  release: string,
  shape: IngressNginxShape,
  isServed: (versions: readonly VersionId[], signal: AbortSignal) => Promise<boolean>,
): ObjectRouter {
  const main = ingressTraffic(shape);
  const name = `${shape.name}-canary`;
  const path = `${main.collection}/${encodeURIComponent(name)}`;
  const base = objectRouter(api, release, main, isServed, {
    weightsOf: async (live, signal) => splitWeights(live, await readCanary(signal)),
    afterClaim: (marker, signal) =>
      settle(marker, signal, (found, live) => {
        const target = live && targetOf(live.spec);
        if (target === undefined) return null;
        if (found && isSharing(found)) return "fence";
        return marker.candidate === target ? (found ? "fence" : "leave") : { service: marker.candidate, ...noShare };
      }),
    beforeShift: (_traffic, marker, signal) => removeOlder(marker, signal),
    afterShift: (traffic, marker, signal) =>
      settle(marker, signal, (_found, live) => {
        if (!live) throw new Error(`The ${title} was deleted by somebody while traffic was moved.`);
        return canaryFor(traffic, marker, live);
      }),
    beforeRestore: (marker, signal) => removeOlder(marker, signal),
    afterRestore: (weights, marker, signal) =>
      settle(marker, signal, (_found, live) => (live && weights ? canaryFor({ weights }, marker, live) : null)),
    beforeRelease: (marker, signal) => settle(marker, signal, (found) => (found && !isSharing(found) ? null : "leave")),
    afterRemove: (signal) => settle(undefined, signal, () => null),
  });
  const title = `Ingress ${shape.namespace}/${shape.name}`;

  const readCanary = async (signal: AbortSignal): Promise<LiveObject | undefined> => {
    try {
      return await api.send({ method: "GET", path }, liveObjectSchema, signal);
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 404) return undefined;
      throw thrown;
    }
  };

  /** Writes the canary until it is as wished. Without a marker, there is no main Ingress to be ours any more. */
  const settle = async (
    marker: Marker | undefined,
    signal: AbortSignal,
    wishFor: (found: LiveObject | undefined, live: LiveObject | undefined) => CanaryWish,
  ): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      // The first attempt writes, the second reads back what was written.
      if (attempt > 1) await sleep(conflictPauseMs, undefined, { signal });
      // In this order: what is read before the marker is looked at is older than any claim that came after it.
      const found = await readCanary(signal);
      const live = marker && (await readOurs(marker, signal));
      const wish = wishFor(found, live);
      if (wish === "leave") return;
      const desired = desiredCanary(wish, found, live, marker);
      if (isAsDesired(found, desired)) return;
      try {
        await write(found, desired, signal);
      } catch (thrown) {
        // Somebody else wrote in between, or our own write arrived although its answer did not: look again.
        if (!(thrown instanceof ApiError && [404, 409].includes(thrown.status))) throw thrown;
      }
    }
  };

  const readOurs = async (marker: Marker, signal: AbortSignal): Promise<LiveObject | undefined> => {
    const live = await base.read(signal);
    const holder = live ? markerIn(live.metadata.annotations) : null;
    if (live && !isSameClaim(holder, marker)) throw notOurs(holder, title);
    return live;
  };

  /** ingress-nginx takes the older of two Ingresses that name the same Service for the main one, and serves nobody when that is the canary. */
  const removeOlder = (marker: Marker, signal: AbortSignal): Promise<void> =>
    settle(marker, signal, (found, live) => (found && (!live || isOlder(found, live)) ? null : "leave"));

  const desiredCanary = (
    wish: Exclude<CanaryWish, "leave">,
    found: LiveObject | undefined,
    live: LiveObject | undefined,
    marker: Marker | undefined,
  ): DesiredCanary | null => {
    if (wish === null || !live || !marker) return null;
    const fence = fenceNote(marker, live.metadata.annotations);
    if (wish === "fence") {
      return found ? { annotations: { ...found.metadata.annotations, ...fence }, spec: found.spec } : null;
    }
    const theirs = Object.entries(found?.metadata.annotations ?? {}).filter(([key]) => !isCanaryAnnotation(key));
    // Made without a share: a creation is bound to nothing that was read.
    const share = canaryAnnotations(found ? wish : noShare);
    return {
      annotations: { ...Object.fromEntries(theirs), ...share, ...fence },
      spec: specFor(wish.service, live.spec),
    };
  };

  const specFor = (service: string, spec: Spec): Spec => {
    const { ingressClassName, rules } = specSchema.parse(spec);
    return {
      ...(ingressClassName === undefined ? {} : { ingressClassName }),
      rules: rules.filter(({ http }) => http).map((rule) => ruleTo(service, rule, shape)),
    };
  };

  const write = async (found: LiveObject | undefined, desired: DesiredCanary | null, signal: AbortSignal) => {
    if (desired === null) {
      const preconditions = { resourceVersion: found?.metadata.resourceVersion };
      const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions };
      await api.send({ method: "DELETE", path, body }, anything, signal);
      return;
    }
    const { annotations, spec } = desired;
    const labels = { ...found?.metadata.labels, ...shape.labels, [releaseLabel]: release };
    const metadata = { ...found?.metadata, name, namespace: shape.namespace, labels, annotations };
    const body = { apiVersion: main.apiVersion, kind: main.kind, metadata, spec };
    await api.send(
      found ? { method: "PUT", path, body } : { method: "POST", path: main.collection, body },
      anything,
      signal,
    );
  };

  return base;
}

interface DesiredCanary {
  readonly annotations: Annotations;
  readonly spec: Spec;
}

function isAsDesired(found: LiveObject | undefined, desired: DesiredCanary | null): boolean {
  if (!found || !desired) return !found && !desired;
  const { annotations } = found.metadata;
  const canaryOnly = (all: Annotations) => Object.entries(all).filter(([key]) => isCanaryAnnotation(key));
  return (
    contains(annotations, desired.annotations) &&
    canaryOnly(annotations).length === canaryOnly(desired.annotations).length &&
    isSameIngress(found.spec, desired.spec)
  );
}

/** The share of the second Ingress; without one it names the version that may come to serve next. */
function canaryFor(traffic: Traffic, marker: Marker, live: LiveObject): Canary | null {
  const target = targetOf(live.spec);
  const { weights, matches = [] } = traffic;
  const other =
    weighted(traffic).find((version) => version !== target) ?? (matches.length > 0 ? marker.candidate : undefined);
  if (target === undefined) return null;
  if (other !== undefined) return { service: other, weightPercent: weights[other] ?? 0, matches };
  const standby = target === marker.candidate ? heaviestBeside(target, marker.origin?.weights) : marker.candidate;
  return standby !== undefined && serviceName.test(standby) ? { service: standby, ...noShare } : null;
}

function heaviestBeside(version: VersionId, weights: Weights = {}): VersionId | undefined {
  const others = Object.entries(weights).filter(([other]) => other !== version);
  return others.sort(([, left], [, right]) => right - left)[0]?.[0];
}

/** Who has the traffic of both Ingresses, as ingress-nginx reads them. */
function splitWeights(live: LiveObject, canary: LiveObject | undefined): Weights {
  const weights = targetWeights(live.spec);
  const target = targetOf(live.spec);
  if (!canary || target === undefined || !isBeside(live, canary)) return weights;
  const other = targetOf(canary.spec);
  if (other === undefined || other === target) return weights;
  const weightPercent = weightPercentIn(canary.metadata.annotations);
  const rest = Math.round((100 - weightPercent) * 1_000) / 1_000;
  return Object.fromEntries(
    Object.entries({ [target]: rest, [other]: weightPercent }).filter(([, weight]) => weight > 0),
  );
}

/** Whether the canary has a host and path of the main Ingress. */
function isBeside(live: LiveObject, canary: LiveObject): boolean {
  const places = new Set(placesOf(live.spec));
  return placesOf(canary.spec).some((place) => places.has(place));
}

function placesOf(spec: Spec): readonly string[] {
  return specSchema
    .parse(spec)
    .rules.flatMap(({ host = "", http }) =>
      (http?.paths ?? []).map(({ path = "/", pathType }) => [host, pathType, path].join(" ")),
    );
}

function isSharing({ metadata }: LiveObject): boolean {
  return hasShare(metadata.annotations);
}

const createdSchema = z.looseObject({ creationTimestamp: z.string() });

/** By the whole second, as the API keeps it; of one second, ingress-nginx takes the shorter name for the older. */
function isOlder(canary: LiveObject, live: LiveObject): boolean {
  return createdSchema.parse(canary.metadata).creationTimestamp < createdSchema.parse(live.metadata).creationTimestamp;
}

/** The main Ingress: sends all that the canary does not take to one version. */
function ingressTraffic(shape: IngressNginxShape): TrafficObject {
  const hosts = shape.hosts.length > 0 ? shape.hosts.map((host) => ({ host })) : [{}];
  return {
    kind: "Ingress",
    apiVersion: "networking.k8s.io/v1",
    collection: `/apis/networking.k8s.io/v1/namespaces/${encodeURIComponent(shape.namespace)}/ingresses`,
    name: shape.name,
    namespace: shape.namespace,
    labels: shape.labels,
    annotations: shape.annotations,

    declaredSpec: (live) => {
      const { defaultBackend: _theirs, ...rest } = live ?? {};
      const target = live && targetOf(live);
      return {
        ...rest,
        ingressClassName: shape.ingressClassName,
        tls: shape.tls,
        rules: hosts.map((rule) => (target === undefined ? rule : ruleTo(target, rule, shape))),
      };
    },

    withTraffic: (spec, traffic, candidate) => {
      mustBeAble(ingressNginxAbilities, traffic, candidate);
      const target = mainVersion(spec, traffic, candidate);
      const { rules } = specSchema.parse(spec);
      return {
        ...spec,
        rules: rules.map(({ http, ...rule }) =>
          target === undefined ? rule : ruleTo(target, http ? { ...rule, http } : rule, shape),
        ),
      };
    },

    weightsOf: (spec) => targetWeights(spec),
    isSame: isSameIngress,

    shapeOf: (live): IngressNginxShape => {
      const { ingressClassName, tls, rules } = specSchema.parse(live.spec);
      const paths = rules.flatMap(({ http }) => http?.paths ?? []);
      return {
        kind: "ingressNginx",
        name: shape.name,
        namespace: shape.namespace,
        ingressClassName: ingressClassName ?? "",
        hosts: rules.flatMap(({ host }) => (host === undefined ? [] : [host])),
        pathPrefix: paths[0]?.path ?? shape.pathPrefix,
        servicePort: paths[0]?.backend.service?.port.number ?? shape.servicePort,
        tls: tls.map(({ hosts: names, secretName = "" }) => ({ hosts: names, secretName })),
        labels: pick(live.metadata.labels, shape.labels),
        annotations: pick(live.metadata.annotations, shape.annotations),
      };
    },
  };
}

/** The version that has what the canary does not take: not the candidate, as long as another one has traffic. */
function mainVersion(spec: Spec, traffic: Traffic, candidate: VersionId): VersionId | undefined {
  const others = weighted(traffic).filter((version) => version !== candidate);
  const present = targetOf(spec);
  if (present !== undefined && others.includes(present)) return present;
  const [first] = others.sort((left, right) => (traffic.weights[right] ?? 0) - (traffic.weights[left] ?? 0));
  return first ?? weighted(traffic)[0];
}

/** The rule with all its paths leading to one Service. */
function ruleTo(service: string, rule: Rule, shape: IngressNginxShape): Rule {
  const declared: Path = { path: shape.pathPrefix, pathType: "Prefix", backend: {} };
  const paths = rule.http?.paths ?? [declared];
  return {
    ...rule,
    http: {
      paths: paths.map(({ backend, ...path }) => ({
        ...path,
        backend: { service: { name: service, port: backend.service?.port ?? { number: shape.servicePort } } },
      })),
    },
  };
}

/** The one Service that all paths lead to, where it is one. */
function targetOf(spec: Spec): string | undefined {
  const [only, ...others] = servicesOf(spec);
  return others.length === 0 ? only : undefined;
}

/** Paths that lead to several Services are not ours; together they have a name. */
function targetWeights(spec: Spec): Weights {
  const services = servicesOf(spec);
  return services.length === 0 ? {} : { [services.join(" and ")]: 100 };
}

function servicesOf(spec: Spec): readonly string[] {
  const paths = specSchema.parse(spec).rules.flatMap(({ http }) => http?.paths ?? []);
  return [...new Set(paths.map(({ backend }) => backend.service?.name ?? "a resource"))].sort();
}

function isSameIngress(live: Spec, wanted: Spec): boolean {
  return isDeepStrictEqual(specSchema.parse(live), specSchema.parse(wanted));
}

const statusSchema = z.looseObject({
  status: z
    .looseObject({
      loadBalancer: z
        .looseObject({
          ingress: z.array(z.looseObject({ ip: z.string().optional(), hostname: z.string().optional() })).default([]),
        })
        .default({ ingress: [] }),
    })
    .default({ loadBalancer: { ingress: [] } }),
});

/** The address that the Ingress controller has written on the Ingress; with TLS, probes have to ask by https. */
export function ingressEntrance(router: ObjectRouter, shape: IngressNginxShape): Entrance {
  const asked = shape.hosts.find((host) => !host.startsWith("*"));
  return {
    title: `the Ingress ${shape.namespace}/${shape.name}`,
    address: async (signal) => {
      const [first] = statusSchema.parse((await router.read(signal)) ?? {}).status.loadBalancer.ingress;
      const host = first?.ip ?? first?.hostname;
      if (host === undefined) return undefined;
      const port = shape.tls.length > 0 ? 443 : 80;
      return { host, port, ...(asked === undefined ? {} : { headers: { host: asked } }) };
    },
  };
}
