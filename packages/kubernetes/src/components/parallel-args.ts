import { comparisonSchema, stepSchema, type ComparisonOptions, type Step } from "@bascule/core";
import { z } from "zod";
import { hookSchema } from "../hooks.ts";
import { mirrorSpecSchema, type MirrorSpec } from "../mirror/mirror-spec.ts";
import type { HookInput } from "./hook-input.ts";
import { routerInputSchema } from "./router-input.ts";
import { argsSchema, stagedFields, type StagedReleaseArgs } from "./release-args.ts";

/** Hooks of this beginning are those of the data. */
const dataPrefix = "data-";

/** Part of the name of the Job that runs the hook, beside the release's own. */
const hookName = /^[a-z0-9]([-a-z0-9]{0,15}[a-z0-9])?$/;

const hooksSchema = z.record(z.string(), hookSchema).superRefine((hooks, context) => {
  for (const name of Object.keys(hooks)) {
    const refuse = (message: string) => {
      context.addIssue({ code: "custom", path: [name], message });
    };
    if (!hookName.test(name)) refuse("must have a name of 1 to 17 lower-case letters, digits or dashes");
    if (name.startsWith(dataPrefix))
      refuse(`must have a name that does not begin with ${dataPrefix}: those are the hooks of data`);
  }
});

const limitMs = z.int().positive();

const mirrorArgsSchema = z.strictObject({
  percent: z.number().positive().max(100).optional(),
  durationMs: limitMs.optional(),
  maximumDifferencePercent: z.number().min(0).max(100).optional(),
  minimumCompared: z.int().positive().optional(),
  compareLatency: comparisonSchema.optional(),
  ...mirrorSpecSchema.partial().shape,
});

const lagArgsSchema = z.strictObject({
  maximumMs: z.int().min(0),
  unit: z.enum(["milliseconds", "seconds"]).optional(),
  attempts: z.int().positive().max(1_000).optional(),
  intervalMs: z.int().min(100).optional(),
  hook: hookSchema.optional(),
  path: z.string().startsWith("/", { error: "must be a path that starts with /, for example /replication" }).optional(),
  field: z
    .string()
    .startsWith("$", { error: "must be a JSON path that starts with $, for example $.lagSeconds" })
    .optional(),
});

const dataArgsSchema = z
  .strictObject({
    start: hookSchema.optional(),
    stop: hookSchema.optional(),
    lag: lagArgsSchema.optional(),
    cutOver: hookSchema,
    goBack: hookSchema,
    reverse: hookSchema.optional(),
    finish: hookSchema.optional(),
    hookLimitMs: limitMs.optional(),
  })
  .superRefine(({ start, stop, lag }, context) => {
    const refuse = (path: string[], message: string) => {
      context.addIssue({ code: "custom", path, message });
    };
    if (start && !stop)
      refuse(["stop"], "must be given with start: after a rollback nothing would end what start began");
    if (stop && !start) refuse(["stop"], "must be left out without start, because there is nothing to stop");
    if (lag && !start)
      refuse(["lag"], "must be left out without start, because only data that is kept in step has a lag");
    if (!lag) return;
    const { hook, path, field } = lag;
    if ((hook === undefined) === (path === undefined)) {
      refuse(["lag"], "must have either a hook or a path that tells the lag, and not both");
    } else if ((path === undefined) !== (field === undefined)) {
      refuse(["lag", "field"], "must be given with path, and only there: it is where the answer has the lag");
    }
  });

export const parallelArgsSchema = argsSchema({
  ...stagedFields,
  router: routerInputSchema
    .refine(({ kind }) => kind === "service", {
      error:
        "must be serviceSwitch(): the mirror stands behind the Service of the release; lead your HTTPRoute or Ingress to that Service",
    })
    .optional(),
  mirror: mirrorArgsSchema.optional(),
  data: dataArgsSchema.optional(),
  hooks: hooksSchema.optional(),
  readOnlyLimitMs: limitMs.optional(),
  steps: z.array(stepSchema).optional(),
});

/** How requests are copied to the candidate, and how its answers are judged; nobody sees them. */
export interface MirrorArgs extends Partial<MirrorSpec> {
  /** The share of the requests of which a copy is made, in per cent. Default 100. */
  readonly percent?: number;
  /** How long answers are compared before anything else happens. Default 60,000. */
  readonly durationMs?: number;
  /** The share of compared answers that may differ, in per cent. Default 0. */
  readonly maximumDifferencePercent?: number;
  /** Fewer compared answers prove nothing, and what is not proved does not go on. Default 20. */
  readonly minimumCompared?: number;
  /** How the times to the beginning of each answer are compared, by statistics. Default: not at all. */
  readonly compareLatency?: ComparisonOptions;
}

/** What tells how far the candidate's data is behind: a command, or the candidate itself. */
export interface LagArgs {
  /** How far it may be behind right before the cut-over, in milliseconds. */
  readonly maximumMs: number;
  /** The unit of what is told. Default `milliseconds`. */
  readonly unit?: "milliseconds" | "seconds";
  /** Measurements right before the cut-over, of which one has to be within the maximum. Default 20. */
  readonly attempts?: number;
  /** Time between the starts of two measurements. Default 5,000 for a command, and 1,000 for a path. */
  readonly intervalMs?: number;
  /** Its last line is the lag: a number. */
  readonly hook?: HookInput;
  /** The candidate's answer to GET is JSON that has the lag at `field`. */
  readonly path?: string;
  /** RFC 9535, for example `$.lagSeconds`. */
  readonly field?: string;
}

/**
 * How the data of the two versions is brought over, and back. Each hook may run twice after a crash, and each ends with 0 when its
 * work is done, also when that was so before.
 */
export interface DataArgs {
  /** Begins to keep the candidate's data in step with the stable version's, and ends when that runs. */
  readonly start?: HookInput;
  /** Ends what `start` began: in a rollback, after `goBack`. */
  readonly stop?: HookInput;
  /** Measured while data is kept in step; within its maximum right before the cut-over. Default: not measured. */
  readonly lag?: LagArgs;
  /**
   * The last synchronisation. From its beginning nobody can write to the old data, and at its end the candidate's data has all of it:
   * then traffic moves. How long nobody could write is in the journal, and limited by `readOnlyLimitMs`. Let the old version close
   * each connection on which it refuses a write, so that clients which keep theirs come to the new one.
   */
  readonly cutOver: HookInput;
  /**
   * In a rollback, once traffic is back and nobody is connected to the candidate: brings what was written there back into the old
   * data, ends `reverse`, and lets people write to the old data again. Also after a `cutOver` that did not come to its end.
   */
  readonly goBack: HookInput;
  /** Keeps the old data in step with the candidate's after the switch, so that going back is quick while the hold lasts. */
  readonly reverse?: HookInput;
  /** After the hold: ends `start` and `reverse`. From there on, going back is another change. */
  readonly finish?: HookInput;
  /** The most that one hook may take. Default 300,000. */
  readonly hookLimitMs?: number;
}

/** What a parallel release takes. */
export interface ParallelReleaseArgs extends StagedReleaseArgs {
  /** How requests are copied and answers compared. Default: all requests for a minute, and no difference is borne. */
  readonly mirror?: MirrorArgs;
  /** How data is brought over. Default: both versions have the same data. */
  readonly data?: DataArgs;
  /** What the steps of the kind `runHook` run, by name. */
  readonly hooks?: Readonly<Record<string, HookInput>>;
  /** The most that nobody may be able to write at the cut-over; longer, and it is rolled back. Default 60,000. */
  readonly readOnlyLimitMs?: number;
  /**
   * Steps between mirroring and the cut-over, while requests are copied and data is kept in step, such as `pause("a week")`,
   * `experiment(60_000)`, `runHook("check-orders", { limitMs: 60_000 })`. Default: none.
   */
  readonly steps?: readonly Step[];
}
