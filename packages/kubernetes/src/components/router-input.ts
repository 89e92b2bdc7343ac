import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import type { MirrorSpec } from "../mirror/mirror-spec.ts";
import { httpRouteShapeSchema } from "../router/http-route-router.ts";
import { ingressNginxShapeSchema } from "../router/ingress-nginx-router.ts";
import { istioShapeSchema } from "../router/istio-router.ts";
import { replicaShapeSchema } from "../router/replica-router.ts";
import type { RouterShape } from "../router/router-shape.ts";
import { smiShapeSchema } from "../router/smi-router.ts";

const fixedByRelease = { name: true, namespace: true, servicePort: true } as const;
const described = { labels: true, annotations: true } as const;

/** What splits a release's traffic, as a program says it; the release adds its own names. */
export const routerInputSchema = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({ kind: z.literal("service") }),
    replicaShapeSchema
      .pick({ kind: true, maxSurge: true, maxUnavailable: true })
      .partial({ maxSurge: true, maxUnavailable: true }),
    httpRouteShapeSchema.omit(fixedByRelease).partial({ hostnames: true, pathPrefix: true, ...described }),
    ingressNginxShapeSchema
      .omit(fixedByRelease)
      .partial({ ingressClassName: true, hosts: true, pathPrefix: true, tls: true, ...described }),
    istioShapeSchema.omit(fixedByRelease).partial({ gateways: true, pathPrefix: true, ...described }),
    smiShapeSchema.omit({ name: true, namespace: true }).partial({ apiVersion: true, ...described }),
  ],
  {
    error:
      "must be a router: use serviceSwitch(), replicaRatio(…), httpRoute(…), ingressNginx(…), virtualService(…) or trafficSplit(…)",
  },
);
export type RouterInput = z.infer<typeof routerInputSchema>;

type Without<Kind extends RouterInput["kind"]> = Omit<Extract<RouterInput, { readonly kind: Kind }>, "kind">;

/** Switches a Service from one version to the other: all requests at once. */
export function serviceSwitch(): RouterInput {
  return { kind: "service" };
}

/**
 * Splits the requests to a Service by the number of Pods of each version, for clusters without a router that knows weights. With few
 * Pods a weight is met roughly: of 4 Pods, each stands for 25 %.
 *
 * @param options `maxSurge`, `maxUnavailable`: Pods above and below the declared number while sizes change; numbers, or shares such
 * as `25%`, which is the default of both
 */
export function replicaRatio(options: Without<"replicas"> = {}): RouterInput {
  return { kind: "replicas", ...options };
}

/**
 * Splits requests by the weights of a Gateway API HTTPRoute.
 *
 * @example httpRoute({ parentRefs: [{ name: "public", namespace: "gateways" }], hostnames: ["shop.example"] })
 */
export function httpRoute(options: Without<"httpRoute">): RouterInput {
  return { kind: "httpRoute", ...options };
}

/**
 * Splits requests by the canary annotations of ingress-nginx: two Ingresses, of which the second takes its share from the first.
 *
 * @param options `ingressClassName`: default `nginx`
 * @example ingressNginx({ hosts: ["shop.example"] })
 */
export function ingressNginx(options: Without<"ingressNginx"> = {}): RouterInput {
  return { kind: "ingressNginx", ...options };
}

/**
 * Splits requests by the weights of an Istio VirtualService. Where clients come in is told by `entrance`.
 *
 * @example virtualService({ hosts: ["shop.example"], gateways: ["istio-system/public"] })
 */
export function virtualService(options: Without<"istio">): RouterInput {
  return { kind: "istio", ...options };
}

/**
 * Splits the requests to a Service, which the program declares, by the weights of an SMI TrafficSplit. Where clients come in is told by
 * `entrance`.
 *
 * @param options `apiVersion`: default `v1alpha2`
 * @example trafficSplit({ service: "shop" })
 */
export function trafficSplit(options: Without<"smi">): RouterInput {
  return { kind: "smi", ...options };
}

/** What the release knows of its router. */
export interface RouterSurroundings {
  readonly name: string;
  readonly namespace: string;
  readonly servicePort: number;
  readonly containerPort: number;
  readonly replicas: number;
  readonly service: {
    readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  /** How requests to a Service are copied. */
  readonly mirror?: MirrorSpec | undefined;
}

const defaultLimit = "25%";

/** The router object, as the cut-over has to make it. */
export function routerShape(input: RouterInput, surroundings: RouterSurroundings): pulumi.Unwrap<RouterShape> {
  const { name, namespace, servicePort, containerPort, replicas } = surroundings;
  const service = {
    name,
    namespace,
    type: surroundings.service.type,
    ports: [{ name: "main", port: servicePort, targetPort: containerPort }],
    labels: { ...surroundings.service.labels },
    annotations: { ...surroundings.service.annotations },
  };
  const routed = { name, namespace, servicePort };
  switch (input.kind) {
    case "service":
      return { kind: "service", ...service, ...(surroundings.mirror ? { mirror: surroundings.mirror } : {}) };
    case "replicas":
      return {
        kind: "replicas",
        ...service,
        replicas,
        maxSurge: input.maxSurge ?? defaultLimit,
        maxUnavailable: input.maxUnavailable ?? defaultLimit,
      };
    case "httpRoute":
      return {
        ...input,
        ...routed,
        hostnames: input.hostnames ?? [],
        pathPrefix: input.pathPrefix ?? "/",
        ...descriptionOf(name, input),
      };
    case "ingressNginx":
      return {
        ...input,
        ...routed,
        ingressClassName: input.ingressClassName ?? "nginx",
        hosts: input.hosts ?? [],
        pathPrefix: input.pathPrefix ?? "/",
        tls: input.tls ?? [],
        ...descriptionOf(name, input),
      };
    case "istio":
      return {
        ...input,
        ...routed,
        gateways: input.gateways ?? [],
        pathPrefix: input.pathPrefix ?? "/",
        ...descriptionOf(name, input),
      };
    case "smi":
      return { ...input, name, namespace, apiVersion: input.apiVersion ?? "v1alpha2", ...descriptionOf(name, input) };
  }
}

function descriptionOf(
  name: string,
  { labels, annotations }: Extract<RouterInput, { readonly kind: "httpRoute" | "ingressNginx" | "istio" | "smi" }>,
) {
  return { labels: { ...labelsOf(name), ...labels }, annotations: annotations ?? {} };
}

/** The labels of every object that is not of one version. */
export function labelsOf(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "bascule" };
}

/** Whether versions are told apart by Services of their own, to which the router sends. */
export function hasVersionServices({ kind }: RouterInput): boolean {
  return kind !== "service" && kind !== "replicas";
}
