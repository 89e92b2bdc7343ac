import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { httpRouteShapeSchema } from "../router/http-route-router.ts";
import { replicaShapeSchema } from "../router/replica-router.ts";
import type { RouterShape } from "../router/router-shape.ts";

const fixedByRelease = { name: true, namespace: true, servicePort: true } as const;

/** What splits a release's traffic, as a program says it; the release adds its own names. */
export const routerInputSchema = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({ kind: z.literal("service") }),
    replicaShapeSchema
      .pick({ kind: true, maxSurge: true, maxUnavailable: true })
      .partial({ maxSurge: true, maxUnavailable: true }),
    httpRouteShapeSchema
      .omit(fixedByRelease)
      .partial({ hostnames: true, pathPrefix: true, labels: true, annotations: true }),
  ],
  { error: "must be a router: use serviceSwitch(), replicaRatio(…) or httpRoute(…)" },
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
  switch (input.kind) {
    case "service":
      return { kind: "service", ...service };
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
        name,
        namespace,
        servicePort,
        hostnames: input.hostnames ?? [],
        pathPrefix: input.pathPrefix ?? "/",
        labels: { ...labelsOf(name), ...input.labels },
        annotations: input.annotations ?? {},
      };
  }
}

/** The labels of every object that is not of one version. */
export function labelsOf(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "bascule" };
}

/** Whether versions are told apart by Services of their own, to which the router sends. */
export function hasVersionServices({ kind }: RouterInput): boolean {
  return kind !== "service" && kind !== "replicas";
}
