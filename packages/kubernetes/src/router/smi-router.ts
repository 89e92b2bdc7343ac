import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { mustBeAble, type RouterAbilities } from "./abilities.ts";
import { integerWeights, percentWeights } from "./backend-weights.ts";
import type { TrafficObject } from "./object-router.ts";
import { pick } from "./service-shape.ts";

const text = z.string().min(1);

/** What a release declares of its TrafficSplit; who has the traffic is not part of it. */
export const smiShapeSchema = z.strictObject({
  kind: z.literal("smi"),
  name: text,
  namespace: text,
  /** The version of the API that the mesh serves; Open Service Mesh and Linkerd's extension serve v1alpha2. */
  apiVersion: z.enum(["v1alpha2", "v1alpha3", "v1alpha4"]),
  /** The Service that clients ask for. */
  service: text,
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
});
export type SmiShape = z.infer<typeof smiShapeSchema>;

export const smiAbilities: RouterAbilities = {
  title: "a TrafficSplit of SMI",
  weights: true,
  // Open Service Mesh serves no version that has them; elsewhere a split with matches says nothing of all the other requests.
  matches: false,
  mirror: false,
  affinity: false,
  sentence: "A TrafficSplit of SMI splits requests by weight alone.",
};

/** All of the spec that has a meaning here. */
const specSchema = z.object({
  service: z.string().default(""),
  matches: z.unknown().optional(),
  backends: z.array(z.object({ service: z.string(), weight: z.number() })).default([]),
});

/** Splits the requests to a Service by the weights of an SMI TrafficSplit. */
export function smiTraffic(shape: SmiShape): TrafficObject {
  return {
    kind: "TrafficSplit",
    apiVersion: `split.smi-spec.io/${shape.apiVersion}`,
    collection: `/apis/split.smi-spec.io/${shape.apiVersion}/namespaces/${encodeURIComponent(shape.namespace)}/trafficsplits`,
    name: shape.name,
    namespace: shape.namespace,
    labels: shape.labels,
    annotations: shape.annotations,

    declaredSpec: (live) => {
      const { matches: _theirs, ...rest } = live ?? {};
      return { ...rest, service: shape.service, backends: [] };
    },
    withTraffic: (spec, traffic, candidate) => {
      mustBeAble(smiAbilities, traffic, candidate);
      const backends = Object.entries(integerWeights(traffic.weights));
      return { ...spec, backends: backends.map(([service, weight]) => ({ service, weight })) };
    },
    weightsOf: (spec) =>
      percentWeights(specSchema.parse(spec).backends.map(({ service, weight }) => [service, weight])),
    isSame: (live, wanted) => isDeepStrictEqual(specSchema.parse(live), specSchema.parse(wanted)),

    shapeOf: (live): SmiShape => ({
      kind: "smi",
      name: shape.name,
      namespace: shape.namespace,
      apiVersion: shape.apiVersion,
      service: specSchema.parse(live.spec).service,
      labels: pick(live.metadata.labels, shape.labels),
      annotations: pick(live.metadata.annotations, shape.annotations),
    }),
  };
}
