import { z } from "zod";
import { httpRouteShapeSchema } from "./http-route-router.ts";
import { ingressNginxShapeSchema } from "./ingress-nginx-router.ts";
import { istioShapeSchema } from "./istio-router.ts";
import { replicaShapeSchema } from "./replica-router.ts";
import { serviceShapeSchema } from "./service-shape.ts";
import { smiShapeSchema } from "./smi-router.ts";

/**
 * The object that splits a release's traffic, as declared. A new router is its own file and a new line here, in `open-router.ts` and in
 * `router-abilities.ts`.
 */
export const routerShapeSchema = z.discriminatedUnion("kind", [
  serviceShapeSchema,
  replicaShapeSchema,
  httpRouteShapeSchema,
  ingressNginxShapeSchema,
  istioShapeSchema,
  smiShapeSchema,
]);
export type RouterShape = z.infer<typeof routerShapeSchema>;
