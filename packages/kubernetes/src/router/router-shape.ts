import { z } from "zod";
import { httpRouteShapeSchema } from "./http-route-router.ts";
import { replicaShapeSchema } from "./replica-router.ts";
import { serviceShapeSchema } from "./service-shape.ts";

/** The object that splits a release's traffic, as declared. A new router is a new line here, in its own file and in `open-router.ts`. */
export const routerShapeSchema = z.discriminatedUnion("kind", [
  serviceShapeSchema,
  replicaShapeSchema,
  httpRouteShapeSchema,
]);
export type RouterShape = z.infer<typeof routerShapeSchema>;
