/** What is wrong with a field, and what to do about it. */
export interface RingProblem {
  readonly field: string;
  readonly value: unknown;
  readonly remedy: string;
}

/** The problem as part of a sentence. */
export function describeProblem({ field, value, remedy }: RingProblem): string {
  return `${field} = ${JSON.stringify(value)}: ${remedy}`;
}
