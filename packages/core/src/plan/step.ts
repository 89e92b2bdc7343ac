import { z } from "zod";

const text = z.string().min(1);
const cookieOrHeader = z
  .strictObject({
    /** The name of a header, in any case. */
    header: text.optional(),
    /** The name of a cookie. */
    cookie: text.optional(),
    exact: text.optional(),
    prefix: text.optional(),
    /** RE2, as the routers have it; it must match the whole value. */
    regex: text.optional(),
  })
  .refine(({ header, cookie }) => (header === undefined) !== (cookie === undefined), {
    error: "must name a header or a cookie, and not both",
  })
  .refine(({ exact, prefix, regex }) => [exact, prefix, regex].filter((part) => part !== undefined).length === 1, {
    error: "must have exactly one of exact, prefix and regex",
  });

/** Which requests go to the candidate whatever the weights are: those with this header, or this cookie. */
export const requestMatchSchema = cookieOrHeader;
export type RequestMatch = z.infer<typeof requestMatchSchema>;

/** The candidate's size: a number of Pods, or a share in per cent of the release's replicas, rounded up. */
const sizeSchema = z.union([
  z.strictObject({ replicas: z.int().min(0) }),
  z.strictObject({ percent: z.number().min(0).max(100) }),
]);
export type CandidateSize = z.infer<typeof sizeSchema>;

const probeNames = z.array(text).min(1).optional();
const durationMs = z.int().min(0);

/** One step of a plan. */
export const stepSchema = z.discriminatedUnion("kind", [
  /** Measures until each probe has a verdict: the candidate before it has traffic, or the service as its clients see it. */
  z.strictObject({
    kind: z.literal("verify"),
    target: z.enum(["candidate", "service"]),
    /** The names of the probes. Default: all that ask this target. */
    probes: probeNames,
  }),
  z.strictObject({ kind: z.literal("shift"), weightPercent: z.number().min(0).max(100) }),
  /** Time spent at the present weight; the service's probes go on all the while. */
  z.strictObject({ kind: z.literal("soak"), durationMs }),
  /** Time spent with the old version still there once the candidate has everything; the service's probes go on all the while. */
  z.strictObject({ kind: z.literal("hold"), durationMs }),
  /** Until a later commit approves it: the update ends well here, and both versions stay. */
  z.strictObject({ kind: z.literal("pause"), name: text, isApproved: z.boolean() }),
  /** Sizes the candidate apart from its weight, and waits until so many Pods are ready. */
  z.strictObject({ kind: z.literal("scale"), size: sizeSchema }),
  /** Sends matching requests to the candidate from here on; an empty list ends that. */
  z.strictObject({ kind: z.literal("route"), matches: z.array(requestMatchSchema) }),
  /** Copies this share of the requests to the candidate, whose answers nobody sees; 0 ends that. */
  z.strictObject({ kind: z.literal("mirror"), percent: z.number().min(0).max(100) }),
  /** Measures the candidate and the stable version side by side, and compares them by statistics. */
  z.strictObject({ kind: z.literal("experiment"), durationMs, probes: probeNames }),
  /** Runs what the user declared under this name. */
  z.strictObject({
    kind: z.literal("hook"),
    name: text,
    limitMs: z.int().positive(),
    /** The hook that takes it back in a rollback, after traffic has gone back. */
    undo: text.optional(),
    /** From here until the next shift nobody can write; how long that took is recorded and limited. */
    startsReadOnly: z.literal(true).optional(),
    /** From here until the candidate has everything its data is kept in step, so that its lag can be measured. */
    keepsInStep: z.literal(true).optional(),
  }),
]);
export type Step = z.infer<typeof stepSchema>;

/** The steps in which time passes on purpose. */
export type TimedStep = Extract<Step, { readonly durationMs: number }>;

export function isTimed(step: Step): step is TimedStep {
  return "durationMs" in step;
}
