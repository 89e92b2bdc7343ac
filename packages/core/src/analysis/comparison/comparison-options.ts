import { z } from "zod";

const effectSizeSchema = z
  .strictObject({
    /**
     * `meanRatio`: the candidate's mean divided by the baseline's, for quantities above zero. `cles`: how likely a value of the
     * candidate is greater than one of the baseline, 0 to 1. Default `meanRatio`.
     */
    measure: z.enum(["meanRatio", "cles"]).optional(),
    /** An increase counts only from this effect size on. Default no change: 1 for `meanRatio`, 0.5 for `cles`. */
    allowedIncrease: z.number().min(0).optional(),
    /** A decrease counts only from this effect size downwards. Default no change. */
    allowedDecrease: z.number().min(0).optional(),
    /** A critical comparison's increase is critical only from this effect size on. Default no change. */
    criticalIncrease: z.number().min(0).optional(),
    /** A critical comparison's decrease is critical only from this effect size downwards. Default no change. */
    criticalDecrease: z.number().min(0).optional(),
  })
  .superRefine(({ measure, ...thresholds }, context) => {
    if (measure !== "cles") return;
    for (const [field, threshold] of Object.entries(thresholds)) {
      if (threshold !== undefined && threshold > 1) {
        context.addIssue({
          code: "custom",
          path: [field],
          message: "must be at most 1, because cles is a probability; for a ratio set measure to meanRatio",
        });
      }
    }
  });

/**
 * How samples of a candidate are compared with samples of a baseline, whatever they measure. Names and meaning are those of
 * Kayenta's NetflixACAJudge, which fixes `tolerance` and `confidenceLevel` at the defaults given here.
 */
export const comparisonSchema = z.strictObject({
  /** The change that is bad: `increase` for a latency, `decrease` for a throughput. Default `either`. */
  direction: z.enum(["increase", "decrease", "either"]).optional(),
  /**
   * The shift counts only where the nearer end of its confidence interval is farther from 0 than this part of the estimate: the
   * greater, the surer it has to be. Default 0.25.
   */
  tolerance: z.number().min(0).lt(1, { error: "must be less than 1, or no change would ever count" }).optional(),
  /** Of the confidence interval of the shift. Default 0.98. */
  confidenceLevel: z.number().min(0.5).max(0.999999).optional(),
  effectSize: effectSizeSchema.optional(),
  /** Values wanted of each side; fewer are inconclusive. 0: any number that gives an interval. Default 50. */
  minimumSamples: z.int().min(0).max(1_000_000).optional(),
  /**
   * What a value that is not a number means: `remove` where nothing was measured, `replace` where it stands for 0, as with a
   * counter of errors that has not counted yet. With `replace` and `minimumSamples` 0, no values at all are a pass.
   * Default `remove`.
   */
  nanStrategy: z.enum(["remove", "replace"]).optional(),
  /** A side without a single value fails the comparison instead of leaving it inconclusive. Default false. */
  mustHaveData: z.boolean().optional(),
  /** Where several comparisons are judged together, a bad outcome of this one alone decides. Default false. */
  critical: z.boolean().optional(),
});
export type ComparisonOptions = z.infer<typeof comparisonSchema>;
