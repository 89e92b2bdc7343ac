import { z } from "zod";
import { changeWindowSchema } from "../window.ts";

const labelsSchema = z.record(z.string(), z.string());

/** One thing that is changed as a whole: a host, a switch, a workstation. */
export const targetSchema = z.strictObject({
  /** Names the target for the adapter and in the journal. */
  id: z.string().min(1, { error: "must not be empty" }),
  /** What rings by label choose by. Default: none. */
  labels: labelsSchema.optional(),
});
export type Target = z.infer<typeof targetSchema>;

/** The ways to say who is in a ring; a ring takes exactly one. */
const ringSelectors = ["count", "percent", "label", "targets", "rest"] as const;

const onFailureSchema = z.enum(["stop", "rollBackRing", "rollBackAll"]);
/**
 * What happens once a ring has failed. `stop`: every target stays as it is. `rollBackRing`: the targets of this ring go back, the
 * rings before it stay on the candidate. `rollBackAll`: every target goes back to what it had before the release. In each case
 * the target that failed goes back by itself.
 */
export type OnRingFailure = z.infer<typeof onFailureSchema>;

const oneDayMs = 86_400_000;

/** Nothing of ours runs between two updates, and no update should last longer than this; it is also well within what timers can do. */
export const longestReleaseMs = 7 * oneDayMs;

const soakMs = z
  .int({ error: "must be a whole number of milliseconds" })
  .min(0, { error: "must not be negative" })
  .max(oneDayMs, { error: "must be a day (86400000) at the most" });
const percent = z.number().gt(0, { error: "must be more than 0" });

/** One ring as the user writes it. Exactly one of `count`, `percent`, `label`, `targets` and `rest` says who is in it. */
export const ringSpecSchema = z
  .strictObject({
    /** Names the ring in messages and in the journal. Default `pilot`, or `ring` and its place from 1. */
    name: z.string().min(1, { error: "must not be empty" }).optional(),
    /** So many targets, in the order of their ids. */
    count: z.int().positive({ error: "must be 1 or more" }).optional(),
    /** So many per cent of all targets, rounded up, dealt out evenly along the order of their ids. */
    percent: percent.max(100, { error: "must be 100 at the most" }).optional(),
    /** The targets that have all of these labels. */
    label: labelsSchema
      .refine((label) => Object.keys(label).length > 0, { error: "must name a label, such as { site: 'paris' }" })
      .optional(),
    /** The targets with these ids. */
    targets: z.array(z.string()).min(1, { error: "must name a target" }).optional(),
    /** All targets that no other ring takes. */
    rest: z.literal(true).optional(),
    /** Only on the first ring: its first failure stops the release and rolls back everything. */
    pilot: z.literal(true).optional(),
    /**
     * How many targets are changed at once. Default 1: two switches of a pair are never down together, and the first failure is
     * known before the second target is touched.
     */
    concurrency: z.int().positive({ error: "must be 1 or more" }).optional(),
    /** How many targets of the ring, or how many per cent of them (rounded down), may fail without stopping it. Default 0. */
    failureBudget: z
      .union([
        z.int().min(0, { error: "must not be negative" }),
        z.strictObject({ percent: percent.lt(100, { error: "must be less than 100" }) }),
      ])
      .optional(),
    /** How long the ring is left alone before all its targets are verified once more, in milliseconds. Default 0: not at all. */
    soakMs: soakMs.optional(),
    /** Default `rollBackAll`. */
    onFailure: onFailureSchema.optional(),
  })
  .check(({ value, issues }) => {
    const given = ringSelectors.filter((selector) => value[selector] !== undefined);
    if (given.length === 1) return;
    const found = given.length === 0 ? "none of them" : given.join(" and ");
    issues.push({
      code: "custom",
      path: [],
      input: value,
      message: `must say who is in it by exactly one of ${ringSelectors.join(", ")}; it has ${found}`,
    });
  });
export type RingSpec = z.infer<typeof ringSpecSchema>;

const limit = z
  .int()
  .positive({ error: "must be 1 or more" })
  .max(longestReleaseMs, { error: `must be a week (${longestReleaseMs}) at the most` });

const limitsSchema = z.strictObject({
  /** Default 10,000. */
  observeMs: limit.optional(),
  /** Default 600,000: ten minutes, enough for a restart. */
  applyMs: limit.optional(),
  /** Default 600,000. */
  rollBackMs: limit.optional(),
  /** Default 60,000. */
  verifyMs: limit.optional(),
});

/** A progressive release by rings as the user writes it. */
export const ringOptionsSchema = z.strictObject({
  /** The rings in the order in which they are changed. */
  rings: z
    .array(ringSpecSchema)
    .min(1, { error: "must have a ring: { rest: true } takes all targets" })
    .max(1_000, { error: "must have 1,000 rings at the most" }),
  /** The most that one call to a target may take, in milliseconds. */
  limits: limitsSchema.optional(),
  /** The most that the release may take before no new target begins, in milliseconds. Default: an hour and all soaks. */
  deadlineMs: limit.optional(),
  /** When a target may begin to be changed. Default: at any time. */
  window: changeWindowSchema.optional(),
});
export type RingOptions = z.infer<typeof ringOptionsSchema>;
