import { isDeepStrictEqual } from "node:util";
import { canonicalJson, type Traffic, type VersionId } from "@bascule/core";
import { z } from "zod";
import { mirrorLabel, mirrorSelector, versionLabel, versionSelector } from "../labels.ts";
import { mustBeAble, weighted, type RouterAbilities } from "./abilities.ts";
import { contains, type Spec, type TrafficObject } from "./object-router.ts";
import { foreignSelectorPrefix } from "./served.ts";
import { shapeOf, type ServiceShape, type ServiceSwitchShape } from "./service-shape.ts";

const selectorSchema = z.record(z.string(), z.string()).default({});
const portsSchema = z.array(z.looseObject({ name: z.string().optional() })).default([]);

export const serviceAbilities: RouterAbilities = {
  title: "a Service",
  weights: false,
  matches: false,
  // By Pods in front of the version, which pass requests on and copy them.
  mirror: true,
  affinity: false,
  sentence: "A Service sends all requests to one version.",
};

/** Switches the traffic of a Service from one version to another by its selector: all of it at once. */
export function serviceTraffic(release: string, shape: ServiceSwitchShape): TrafficObject {
  return {
    kind: "Service",
    apiVersion: "v1",
    collection: `/api/v1/namespaces/${encodeURIComponent(shape.namespace)}/services`,
    name: shape.name,
    namespace: shape.namespace,
    labels: shape.labels,
    annotations: shape.annotations,

    declaredSpec: (live) => declaredService(shape, live),
    withTraffic: (spec, traffic, candidate) => ({ ...spec, selector: selectorFor(release, traffic, candidate) }),
    weightsOf: (spec) => weightsOfSelector(release, selectorOf(spec)),
    isSame: isSameService,
    shapeOf: (live): ServiceSwitchShape => ({
      kind: "service",
      ...shapeOf(live, shape),
      ...(shape.mirror ? { mirror: shape.mirror } : {}),
    }),
  };
}

/** The declared Service over the live one: addresses and node ports stay. */
export function declaredService(shape: ServiceShape, live: Spec | undefined): Spec {
  const livePorts = portsSchema.parse(live?.["ports"]);
  return {
    ...live,
    type: shape.type,
    selector: live ? selectorOf(live) : {},
    ports: shape.ports.map((port) => ({
      ...livePorts.find(({ name }) => name === port.name),
      ...port,
      protocol: "TCP",
    })),
  };
}

/** Kubernetes fills in defaults, so the live one may say more; but it may have no other selector and no other ports. */
export function isSameService(live: Spec, wanted: Spec): boolean {
  return (
    isDeepStrictEqual(selectorOf(live), selectorOf(wanted)) &&
    contains(live["ports"] ?? [], wanted["ports"] ?? []) &&
    live["type"] === wanted["type"]
  );
}

/** The labels by which a Service picks its Pods. */
export function selectorOf(spec: Spec): Readonly<Record<string, string>> {
  return selectorSchema.parse(spec["selector"]);
}

/** Who is picked by a selector. */
export function weightsOfSelector(release: string, selector: Readonly<Record<string, string>>): Record<string, number> {
  if (Object.keys(selector).length === 0) return {};
  const version = selector[versionLabel] ?? selector[mirrorLabel];
  const isOurs =
    version !== undefined &&
    [versionSelector(release, version), mirrorSelector(release, version)].some((ours) =>
      isDeepStrictEqual(selector, ours),
    );
  return { [isOurs ? version : `${foreignSelectorPrefix}${canonicalJson(selector)}`]: 100 };
}

function selectorFor(release: string, traffic: Traffic, candidate: VersionId): Record<string, string> {
  mustBeAble(serviceAbilities, traffic, candidate);
  const [version] = weighted(traffic);
  if (version === undefined) return {};
  return traffic.mirrorPercent === undefined ? versionSelector(release, version) : mirrorSelector(release, version);
}
