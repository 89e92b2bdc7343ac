import { z } from "zod";
import { changeWindowSchema } from "./window.ts";

/** How a version takes over. */
const strategySchema = z.enum(["direct", "blueGreen"]);
export type Strategy = z.infer<typeof strategySchema>;

/** One step of a plan. `verify` of the candidate happens before it has traffic; of the service, as its clients see it. */
const stepSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("verify"), target: z.enum(["candidate", "service"]) }),
  z.strictObject({ kind: z.literal("shift"), weightPercent: z.number().min(0).max(100) }),
  z.strictObject({
    kind: z.literal("hold"),
    /** Time spent with the old version still there; the service's probes go on all the while. */
    durationMs: z.int().min(0),
  }),
]);
export type Step = z.infer<typeof stepSchema>;

/** The steps that take one version to production, and the limits of each wait. Plain data: what the preview shows is what runs. */
export const planSchema = z.strictObject({
  strategy: strategySchema,
  steps: z.array(stepSchema).min(1),
  /** The most that the whole transaction may take before it is rolled back. */
  deadlineMs: z.int().positive(),
  /** The most that a shift may take to reach clients. */
  propagationLimitMs: z.int().positive(),
  window: changeWindowSchema.optional(),
});
export type Plan = z.infer<typeof planSchema>;

export interface PlanOptions {
  /** Default 5,000. */
  readonly holdMs?: number | undefined;
  /** Default 600,000 plus the hold. */
  readonly deadlineMs?: number | undefined;
  /** Default 10,000. */
  readonly propagationLimitMs?: number | undefined;
  readonly window?: Plan["window"];
}

const defaultHoldMs = 5_000;
const defaultDeadlineMs = 600_000;
const defaultPropagationLimitMs = 10_000;

/** The plan of a strategy. `direct` moves at once and then verifies; `blueGreen` verifies first, switches, verifies and holds. */
export function planOf(strategy: Strategy, options: PlanOptions = {}): Plan {
  const holdMs = strategy === "blueGreen" ? (options.holdMs ?? defaultHoldMs) : 0;
  const switchAndVerify: Step[] = [
    { kind: "shift", weightPercent: 100 },
    { kind: "verify", target: "service" },
  ];
  const steps: Step[] =
    strategy === "direct"
      ? switchAndVerify
      : [{ kind: "verify", target: "candidate" }, ...switchAndVerify, { kind: "hold", durationMs: holdMs }];
  return {
    strategy,
    steps,
    deadlineMs: options.deadlineMs ?? defaultDeadlineMs + holdMs,
    propagationLimitMs: options.propagationLimitMs ?? defaultPropagationLimitMs,
    ...(options.window ? { window: options.window } : {}),
  };
}
