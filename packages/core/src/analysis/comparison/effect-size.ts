import type { MannWhitneyResult } from "./mann-whitney.ts";

/**
 * How many times the baseline's mean the candidate's is: 1 says no change, 1.2 a fifth more. `undefined` where a ratio says
 * nothing: where one of two different means is zero or below it.
 */
export function meanRatio(candidate: readonly number[], baseline: readonly number[]): number | undefined {
  const ofCandidate = mean(candidate);
  const ofBaseline = mean(baseline);
  if (ofCandidate === ofBaseline) return 1;
  return ofCandidate > 0 && ofBaseline > 0 ? ofCandidate / ofBaseline : undefined;
}

/**
 * The common language effect size: how likely a value of the candidate is greater than one of the baseline, where a tie counts
 * half. 0.5 says no change. (A. Vargha and H. D. Delaney, "A Critique and Improvement of the CL Common Language Effect Size
 * Statistics of McGraw and Wong", Journal of Educational and Behavioral Statistics 25(2), 2000.)
 */
export function commonLanguageEffectSize({ u, pairs }: Pick<MannWhitneyResult, "u" | "pairs">): number {
  return u / pairs;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
