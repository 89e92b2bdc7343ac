import { BasculeError, type Traffic } from "@bascule/core";
import { z } from "zod";
import { ApiError, type Api } from "../api.ts";
import type { HttpRouteShape } from "./http-route-router.ts";
import type { AroundWrites } from "./object-router.ts";

const gatewaySchema = z.looseObject({ spec: z.looseObject({ gatewayClassName: z.string() }) });
const classSchema = z.looseObject({
  status: z
    .looseObject({
      // Before version 1.2 of the Gateway API these were names alone.
      supportedFeatures: z
        .array(z.union([z.string(), z.looseObject({ name: z.string() }).transform(({ name }) => name)]))
        .default([]),
    })
    .default({ supportedFeatures: [] }),
});

/** What an HTTPRoute needs for a traffic, beside what every implementation of the Gateway API has to have. */
interface NeededFeature {
  /** As `pkg/features/httproute.go` of https://github.com/kubernetes-sigs/gateway-api names it. */
  readonly name: string;
  readonly purpose: string;
}

/**
 * Refuses a traffic that needs a feature which the GatewayClass does not list, or of which nobody can tell. An implementation that does
 * not know a filter has to answer with an error whatever the filter would have worked on, so a copy that is asked for in vain takes the
 * service from everybody; Traefik 3.7 does so while the route's status says that all is well. Others, such as Traefik 3.5, skip filters
 * of one backend in silence. Nothing says in advance whether headers are matched by pattern, which each implementation decides.
 */
export function httpRouteFeatures(api: Api, shape: HttpRouteShape): AroundWrites {
  return {
    beforeShift: async (traffic, _marker, signal) => {
      const needed = neededFeatures(traffic);
      if (needed.length === 0) return;
      for (const { name, namespace = shape.namespace } of shape.parentRefs) {
        const gateway = `the Gateway ${namespace}/${name}`;
        const className = await classOf(api, namespace, name, signal);
        const listed = className === undefined ? undefined : await featuresOf(api, className, signal);
        const missing = needed.find((feature) => !listed?.includes(feature.name));
        if (!missing) continue;
        throw new BasculeError(
          "invalid-input",
          `The traffic cannot be routed: ${missing.purpose}, ${whyNot(missing.name, gateway, className, listed)}`,
        );
      }
    },
  };
}

function whyNot(
  feature: string,
  gateway: string,
  className: string | undefined,
  listed: readonly string[] | undefined,
): string {
  const otherwise = "leave it out of the plan, or use a Gateway whose implementation has it.";
  if (className === undefined || listed === undefined) {
    const hidden = className === undefined ? gateway : `the GatewayClass ${className} of ${gateway}`;
    return `but ${hidden} is not there or may not be read, so nobody can tell whether its implementation does that. Allow to get gateways and gatewayclasses, or ${otherwise}`;
  }
  if (listed.length === 0) {
    return `but the GatewayClass ${className} of ${gateway} lists no features, so nobody can tell whether its implementation does that. The standard definitions of the Gateway API know the list since version 1.4: install those, or ${otherwise}`;
  }
  return `for which the GatewayClass ${className} of ${gateway} does not list ${feature}. ${otherwise.replace("leave", "Leave")}`;
}

function neededFeatures({ mirrorPercent, affinity }: Traffic): readonly NeededFeature[] {
  const mirror = "requests are copied to the candidate";
  const cookie = "users are kept at a version by a cookie";
  return [
    ...(mirrorPercent === undefined ? [] : [{ name: "HTTPRouteRequestMirror", purpose: mirror }]),
    ...(mirrorPercent === undefined || Math.round(mirrorPercent) >= 100
      ? []
      : [{ name: "HTTPRouteRequestPercentageMirror", purpose: `${mirror} in part` }]),
    // The cookie is set by a filter of one backend. There is a name for changing answers, and one for heeding filters of a backend at
    // all, which is given to those of requests; there is none for both together.
    ...(affinity
      ? [
          { name: "HTTPRouteResponseHeaderModification", purpose: cookie },
          { name: "HTTPRouteBackendRequestHeaderModification", purpose: cookie },
        ]
      : []),
  ];
}

async function classOf(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<string | undefined> {
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/gateways/${encodeURIComponent(name)}`;
  return unlessHidden(
    async () => (await api.send({ method: "GET", path }, gatewaySchema, signal)).spec.gatewayClassName,
  );
}

async function featuresOf(api: Api, className: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const path = `/apis/gateway.networking.k8s.io/v1/gatewayclasses/${encodeURIComponent(className)}`;
  return unlessHidden(
    async () => (await api.send({ method: "GET", path }, classSchema, signal)).status.supportedFeatures,
  );
}

/** Gateways and their classes belong to somebody else: who may not read them knows nothing of them. */
async function unlessHidden<Result>(read: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await read();
  } catch (thrown) {
    if (thrown instanceof ApiError && [403, 404].includes(thrown.status)) return undefined;
    throw thrown;
  }
}
