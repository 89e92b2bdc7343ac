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
 * Refuses a traffic that needs a feature which the GatewayClass does not list. A class that lists nothing says nothing: the field is in
 * the standard definitions since version 1.4 of the Gateway API only, and was dropped silently before. The traffic is then written,
 * and the probes of its step tell. Nothing says in advance whether headers are matched by pattern, which each implementation decides.
 */
export function httpRouteFeatures(api: Api, shape: HttpRouteShape): AroundWrites {
  return {
    beforeShift: async (traffic, _marker, signal) => {
      const needed = neededFeatures(traffic);
      if (needed.length === 0) return;
      for (const { name, namespace = shape.namespace } of shape.parentRefs) {
        const className = await classOf(api, namespace, name, signal);
        const listed = className === undefined ? [] : await featuresOf(api, className, signal);
        const missing = needed.find((feature) => !listed.includes(feature.name));
        if (listed.length > 0 && missing) {
          throw new BasculeError(
            "invalid-input",
            `The traffic cannot be routed: ${missing.purpose}, for which the GatewayClass ${className ?? ""} of the Gateway ${namespace}/${name} does not list ${missing.name}. Leave it out of the plan, or use a Gateway whose implementation has it.`,
          );
        }
      }
    },
  };
}

function neededFeatures({ mirrorPercent, affinity }: Traffic): readonly NeededFeature[] {
  const mirror = "requests are copied to the candidate";
  return [
    ...(mirrorPercent === undefined ? [] : [{ name: "HTTPRouteRequestMirror", purpose: mirror }]),
    ...(mirrorPercent === undefined || Math.round(mirrorPercent) >= 100
      ? []
      : [{ name: "HTTPRouteRequestPercentageMirror", purpose: `${mirror} in part` }]),
    // There is no name for doing it for one backend alone; who does it at all is the best guess.
    ...(affinity
      ? [{ name: "HTTPRouteResponseHeaderModification", purpose: "users are kept at a version by a cookie" }]
      : []),
  ];
}

async function classOf(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<string | undefined> {
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/gateways/${encodeURIComponent(name)}`;
  return unlessHidden(
    async () => (await api.send({ method: "GET", path }, gatewaySchema, signal)).spec.gatewayClassName,
  );
}

async function featuresOf(api: Api, className: string, signal: AbortSignal): Promise<readonly string[]> {
  const path = `/apis/gateway.networking.k8s.io/v1/gatewayclasses/${encodeURIComponent(className)}`;
  const features = await unlessHidden(
    async () => (await api.send({ method: "GET", path }, classSchema, signal)).status.supportedFeatures,
  );
  return features ?? [];
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
