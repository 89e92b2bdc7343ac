import { isDeepStrictEqual } from "node:util";
import type { RequestMatch, VersionId, Weights } from "@bascule/core";
import { z } from "zod";
import { mustBeAble, type RouterAbilities } from "./abilities.ts";
import { integerWeights, percentWeights } from "./backend-weights.ts";
import type { Spec, TrafficObject } from "./object-router.ts";
import { affinityCookie, cookiePattern, setCookie } from "./request-rules.ts";
import { pick, portNumber } from "./service-shape.ts";

const text = z.string().min(1);

/** What a release declares of its VirtualService; who has the traffic is not part of it. */
export const istioShapeSchema = z.strictObject({
  kind: z.literal("istio"),
  name: text,
  namespace: text,
  /** The hosts that clients ask for; in the mesh, the name of a Service. */
  hosts: z.array(text).min(1),
  /** The Gateways that take the requests, `namespace/name`, and `mesh` for those from within. Empty: those from within. */
  gateways: z.array(text),
  pathPrefix: z.string().startsWith("/"),
  /** The port of each version's Service. */
  servicePort: portNumber,
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
});
export type IstioShape = z.infer<typeof istioShapeSchema>;

/** The longest pattern that Istio takes. (https://github.com/istio/istio, `pkg/config/validation`) */
const longestPattern = 1_024;

export const istioAbilities: RouterAbilities = {
  title: "a VirtualService of Istio",
  weights: true,
  matches: true,
  mirror: true,
  affinity: true,
  sentence:
    "A VirtualService of Istio splits requests by weight, picks them by headers and cookies, copies them and keeps users at a version.",
  limitOf: ({ matches = [] }) => {
    const long = matches.map(valueOf).find(({ regex = "" }) => regex.length > longestPattern);
    return (
      long && `Istio takes patterns of ${longestPattern} characters at the most, and one has more. Make it shorter`
    );
  },
};

const destinationSchema = z.object({
  host: z.string(),
  subset: z.string().optional(),
  port: z.object({ number: z.number().optional() }).optional(),
});
const matchSchema = z.object({
  uri: z.record(z.string(), z.string()).optional(),
  headers: z.record(z.string(), z.record(z.string(), z.string())).optional(),
});
/** What else a route may do with requests; ours do none of it but the first, and a change by hand has to show. */
const otherwise = {
  directResponse: z.object({ status: z.number() }).optional(),
  redirect: z.unknown().optional(),
  rewrite: z.unknown().optional(),
  delegate: z.unknown().optional(),
  fault: z.unknown().optional(),
  mirrors: z.unknown().optional(),
};
const routeSchema = z.object({
  ...otherwise,
  match: z.array(matchSchema).default([]),
  route: z
    .array(
      z.object({
        destination: destinationSchema,
        weight: z.number().default(0),
        headers: z
          .object({ response: z.object({ add: z.record(z.string(), z.string()).default({}) }).optional() })
          .optional(),
      }),
    )
    .default([]),
  mirror: destinationSchema.optional(),
  mirrorPercentage: z.object({ value: z.number() }).optional(),
});
/** All of the spec that has a meaning here. */
const specSchema = z.object({
  hosts: z.array(z.string()).default([]),
  gateways: z.array(z.string()).default([]),
  http: z.array(routeSchema).default([]),
});

/**
 * Splits requests by the weights of an Istio VirtualService, with rules for headers and cookies, mirroring and affinity. Nobody served
 * is a route that answers with 503 by itself: Istio takes no VirtualService without a route.
 */
export function istioTraffic(release: string, shape: IstioShape): TrafficObject {
  return {
    kind: "VirtualService",
    apiVersion: "networking.istio.io/v1",
    collection: `/apis/networking.istio.io/v1/namespaces/${encodeURIComponent(shape.namespace)}/virtualservices`,
    name: shape.name,
    namespace: shape.namespace,
    labels: shape.labels,
    annotations: shape.annotations,

    declaredSpec: (live) => ({
      ...live,
      hosts: shape.hosts,
      gateways: shape.gateways,
      http: [{ match: [{ uri: { prefix: shape.pathPrefix } }] }],
    }),

    withTraffic: (spec, traffic, candidate) => {
      mustBeAble(istioAbilities, traffic, candidate);
      const { weights, matches = [], mirrorPercent, affinity } = traffic;
      const { uri, servicePort } = placeOf(spec, shape);
      const to = (version: VersionId) => ({ host: version, port: { number: servicePort } });
      const only = (version: VersionId) => [{ destination: to(version), weight: 100 }];
      const cookie = affinity && affinityCookie(release, affinity);
      const split = Object.entries(integerWeights(weights)).filter(([, weight]) => weight > 0);
      const everything = { match: [{ uri }] };
      const http = [
        ...(matches.length > 0
          ? [{ match: matches.map((match) => ({ uri, headers: headerOf(match) })), route: only(candidate) }]
          : []),
        ...(cookie === undefined
          ? []
          : [{ match: [{ uri, headers: headerOf({ cookie, exact: candidate }) }], route: only(candidate) }]),
        split.length === 0
          ? { ...everything, directResponse: { status: 503 } }
          : {
              ...everything,
              route: split.map(([version, weight]) => ({
                destination: to(version),
                weight,
                ...(affinity && version === candidate
                  ? { headers: { response: { add: { "set-cookie": setCookie(release, affinity, candidate) } } } }
                  : {}),
              })),
              ...(mirrorPercent === undefined
                ? {}
                : { mirror: to(candidate), mirrorPercentage: { value: mirrorPercent } }),
            },
      ];
      return { ...spec, http };
    },

    weightsOf: (spec) => weightsOf(spec, shape.namespace),
    isSame: (live, wanted) => isDeepStrictEqual(specSchema.parse(live), specSchema.parse(wanted)),

    shapeOf: (live): IstioShape => {
      const { hosts, gateways } = specSchema.parse(live.spec);
      const { uri, servicePort } = placeOf(live.spec, shape);
      return {
        kind: "istio",
        name: shape.name,
        namespace: shape.namespace,
        hosts,
        gateways,
        pathPrefix: uri["prefix"] ?? shape.pathPrefix,
        servicePort,
        labels: pick(live.metadata.labels, shape.labels),
        annotations: pick(live.metadata.annotations, shape.annotations),
      };
    },
  };
}

/** The route for all requests, which is the last one: its path, and the port that it leads to. */
function placeOf(
  spec: Spec,
  shape: IstioShape,
): { readonly uri: Record<string, string>; readonly servicePort: number } {
  const last = specSchema.parse(spec).http.at(-1);
  return {
    uri: last?.match[0]?.uri ?? { prefix: shape.pathPrefix },
    servicePort: last?.route[0]?.destination.port?.number ?? shape.servicePort,
  };
}

function weightsOf(spec: Spec, namespace: string): Weights {
  const route = specSchema.parse(spec).http.at(-1)?.route ?? [];
  const [only, ...others] = route;
  // A single destination has everything, whatever its weight.
  if (only && others.length === 0) return { [nameOf(only.destination, namespace)]: 100 };
  return percentWeights(route.map(({ destination, weight }) => [nameOf(destination, namespace), weight]));
}

/** A Service of the same namespace has its name alone, however it was written. */
function nameOf({ host, subset }: z.infer<typeof destinationSchema>, namespace: string): string {
  const [service = host, ...rest] = host.split(".");
  const isOfNamespace = rest.length === 0 || (rest[0] === namespace && (rest.length === 1 || rest[1] === "svc"));
  const name = isOfNamespace ? service : host;
  return subset === undefined ? name : `${name} subset ${subset}`;
}

/** Envoy wants the names of headers in lower case. */
function headerOf(match: RequestMatch): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const { exact, prefix, regex } = valueOf(match);
  const value = regex !== undefined ? { regex } : prefix !== undefined ? { prefix } : { exact: exact ?? "" };
  return { [match.header?.toLowerCase() ?? "cookie"]: value };
}

function valueOf({ cookie, exact, prefix, regex }: RequestMatch): Pick<RequestMatch, "exact" | "prefix" | "regex"> {
  return cookie === undefined ? { exact, prefix, regex } : { regex: cookiePattern(cookie, { exact, prefix, regex }) };
}
