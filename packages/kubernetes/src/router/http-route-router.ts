import { isDeepStrictEqual } from "node:util";
import type { RequestMatch, VersionId, Weights } from "@bascule/core";
import { z } from "zod";
import { mustBeAble, type RouterAbilities } from "./abilities.ts";
import type { Spec, TrafficObject } from "./object-router.ts";
import { affinityCookie, cookiePattern, setCookie, wholeValuePattern } from "./request-rules.ts";
import { pick, portNumber } from "./service-shape.ts";
import { integerWeights, percentWeights } from "./backend-weights.ts";

/** What a release declares of its HTTPRoute; who has the traffic is not part of it. */
export const httpRouteShapeSchema = z.strictObject({
  kind: z.literal("httpRoute"),
  name: z.string().min(1),
  namespace: z.string().min(1),
  /** The Gateways that the route is attached to. */
  parentRefs: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        namespace: z.string().min(1).optional(),
        sectionName: z.string().min(1).optional(),
        port: portNumber.optional(),
      }),
    )
    .min(1),
  /** Empty: every host of the Gateways. */
  hostnames: z.array(z.string().min(1)),
  pathPrefix: z.string().startsWith("/"),
  /** The port of each version's Service. */
  servicePort: portNumber,
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
});
export type HttpRouteShape = z.infer<typeof httpRouteShapeSchema>;

export const httpRouteAbilities: RouterAbilities = {
  title: "an HTTPRoute",
  weights: true,
  matches: true,
  mirror: true,
  affinity: true,
  sentence:
    "An HTTPRoute splits requests by weight, picks them by headers and cookies, copies them and keeps users at a version, as far as the implementation of its Gateway does.",
};

const nameAndValue = z.object({ name: z.string(), value: z.string() });
const filterSchema = z.object({
  type: z.string(),
  requestMirror: z.object({ backendRef: z.object({ name: z.string() }), percent: z.number().default(100) }).optional(),
  responseHeaderModifier: z.object({ add: z.array(nameAndValue).default([]) }).optional(),
});
const backendSchema = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  port: z.number().optional(),
  weight: z.number().default(1),
  filters: z.array(filterSchema).default([]),
});
const matchSchema = z.object({
  path: z.object({ type: z.string(), value: z.string() }).default({ type: "PathPrefix", value: "/" }),
  headers: z.array(nameAndValue.extend({ type: z.string().default("Exact") })).default([]),
});
const ruleSchema = z.object({
  matches: z.array(matchSchema).default([]),
  filters: z.array(filterSchema).default([]),
  backendRefs: z.array(backendSchema).default([]),
});
/** All of the spec that has a meaning here, the API's defaults filled in. */
const specSchema = z.object({
  parentRefs: z
    .array(
      z.object({
        name: z.string(),
        namespace: z.string().optional(),
        sectionName: z.string().optional(),
        port: z.number().optional(),
      }),
    )
    .default([]),
  hostnames: z.array(z.string()).default([]),
  rules: z.array(ruleSchema).default([]),
});

/**
 * Splits requests by the weights of a Gateway API HTTPRoute, with rules for headers and cookies, mirroring and affinity where the
 * Gateway's implementation has them.
 */
export function httpRouteTraffic(release: string, shape: HttpRouteShape): TrafficObject {
  const declaredPath = { type: "PathPrefix", value: shape.pathPrefix };
  return {
    kind: "HTTPRoute",
    apiVersion: "gateway.networking.k8s.io/v1",
    collection: `/apis/gateway.networking.k8s.io/v1/namespaces/${encodeURIComponent(shape.namespace)}/httproutes`,
    name: shape.name,
    namespace: shape.namespace,
    labels: shape.labels,
    annotations: shape.annotations,

    declaredSpec: (live) => ({
      ...live,
      parentRefs: shape.parentRefs,
      hostnames: shape.hostnames,
      rules: [{ matches: [{ path: declaredPath }] }],
    }),

    withTraffic: (spec, traffic, candidate) => {
      mustBeAble(httpRouteAbilities, traffic, candidate);
      const { weights, matches = [], mirrorPercent, affinity } = traffic;
      // A former spec keeps its own path and port.
      const everything = specSchema.parse(spec).rules.at(-1);
      const path = everything?.matches[0]?.path ?? declaredPath;
      const port = everything?.backendRefs[0]?.port ?? shape.servicePort;
      const only = (version: VersionId) => [{ name: version, port, weight: 1 }];
      const cookie = affinity && affinityCookie(release, affinity);
      const rules = [
        ...(matches.length > 0
          ? [{ matches: matches.map((match) => ({ path, headers: [headerOf(match)] })), backendRefs: only(candidate) }]
          : []),
        ...(cookie
          ? [{ matches: [{ path, headers: [cookieHeader(cookie, candidate)] }], backendRefs: only(candidate) }]
          : []),
        {
          matches: [{ path }],
          ...(mirrorPercent === undefined ? {} : { filters: [mirrorTo(candidate, port, mirrorPercent)] }),
          backendRefs: Object.entries(integerWeights(weights)).map(([version, weight]) => ({
            name: version,
            port,
            weight,
            ...(affinity && version === candidate
              ? { filters: [remember(setCookie(release, affinity, candidate))] }
              : {}),
          })),
        },
      ];
      return { ...spec, rules };
    },

    weightsOf: (spec) => weightsOf(spec),
    isSame: (live, wanted) => isDeepStrictEqual(specSchema.parse(live), specSchema.parse(wanted)),

    shapeOf: (live): HttpRouteShape => {
      const { parentRefs, hostnames, rules } = specSchema.parse(live.spec);
      const rule = rules.at(-1);
      return {
        kind: "httpRoute",
        name: shape.name,
        namespace: shape.namespace,
        parentRefs,
        hostnames,
        pathPrefix: rule?.matches[0]?.path.value ?? "/",
        servicePort: rule?.backendRefs[0]?.port ?? shape.servicePort,
        labels: pick(live.metadata.labels, shape.labels),
        annotations: pick(live.metadata.annotations, shape.annotations),
      };
    },
  };
}

/** The weights of the rule for all requests, which is the last one. */
function weightsOf(spec: Spec): Weights {
  const backends = specSchema.parse(spec).rules.at(-1)?.backendRefs ?? [];
  return percentWeights(backends.map((backend) => [nameOf(backend), backend.weight]));
}

/** A Service of another namespace is not ours. */
function nameOf({ name, namespace }: z.infer<typeof backendSchema>): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function headerOf({ header, cookie, ...value }: RequestMatch) {
  if (cookie !== undefined) return { name: "Cookie", type: "RegularExpression", value: cookiePattern(cookie, value) };
  const name = header ?? "";
  if (value.exact !== undefined) return { name, type: "Exact", value: value.exact };
  return { name, type: "RegularExpression", value: wholeValuePattern(value) };
}

function cookieHeader(cookie: string, version: VersionId) {
  return { name: "Cookie", type: "RegularExpression", value: cookiePattern(cookie, { exact: version }) };
}

/** A share is a feature of its own, which is not asked for where all requests are copied. */
function mirrorTo(version: VersionId, port: number, percent: number) {
  const share = Math.round(percent);
  return {
    type: "RequestMirror",
    requestMirror: { backendRef: { name: version, port }, ...(share < 100 ? { percent: share } : {}) },
  };
}

function remember(value: string) {
  return { type: "ResponseHeaderModifier", responseHeaderModifier: { add: [{ name: "Set-Cookie", value }] } };
}
