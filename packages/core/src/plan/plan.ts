import { z } from "zod";
import { changeWindowSchema } from "../window.ts";
import { stepSchema } from "./step.ts";

/** How a version takes over. */
const strategySchema = z.enum(["direct", "progressive", "parallel", "blueGreen"]);
export type Strategy = z.infer<typeof strategySchema>;

/** How long a user is kept at a version unless the affinity says otherwise, in seconds: a day. */
export const defaultAffinitySeconds = 86_400;

/** Keeps a user at the version that they met first while two have traffic. */
export const affinitySchema = z.strictObject({
  /** Default `bascule-` and the release's name. */
  cookieName: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, { error: "must be letters, digits, dashes and underscores" })
    .optional(),
  /** Default {@link defaultAffinitySeconds}. */
  maxAgeSeconds: z.int().positive().optional(),
});
export type Affinity = z.infer<typeof affinitySchema>;

/** The steps that take one version to production, and the limits of each wait. Plain data: what the preview shows is what runs. */
export const planSchema = z.strictObject({
  strategy: strategySchema,
  steps: z.array(stepSchema).min(1),
  /** The most that the whole transaction may take before it is rolled back. */
  deadlineMs: z.int().positive(),
  /** The most that a shift may take to reach clients. */
  propagationLimitMs: z.int().positive(),
  /** The most that a change of a version's size may take; also of a shift that is made by sizes. */
  scaleLimitMs: z.int().positive().optional(),
  /** The most that the steps of one update may last on purpose; set where pauses make several updates of them. */
  runBudgetMs: z.int().positive().optional(),
  /** The most that the moment in which nobody can write may take. */
  readOnlyLimitMs: z.int().positive().optional(),
  /** The probes that go on during every step from this one on, counted from 0. */
  background: z
    .strictObject({ startingStep: z.int().min(0), probes: z.array(z.string()).min(1).optional() })
    .optional(),
  /** Going back to one of so many former versions skips all but hooks, proofs, the switch and the hold. 0: never. */
  fastTrackChanges: z.int().min(0).optional(),
  affinity: affinitySchema.optional(),
  window: changeWindowSchema.optional(),
});
export type Plan = z.infer<typeof planSchema>;
