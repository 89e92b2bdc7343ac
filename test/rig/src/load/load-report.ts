/** One request that was not answered well. */
export interface BadRequest {
  /** Milliseconds since 1970, when the answer came, or when it was clear that none would. */
  readonly atMs: number;
  /** `lost`: the client got no answer. `bad`: it got one of 500 or more. */
  readonly kind: "lost" | "bad";
  /** The version that answered, when one did. */
  readonly version?: string;
  readonly message: string;
}

/** What a load has seen. */
export interface LoadReport {
  readonly sent: number;
  readonly ok: number;
  readonly bad: number;
  readonly lost: number;
  /** Answers by the version that gave them. */
  readonly byVersion: Readonly<Record<string, number>>;
  /** From the first bad answer to the last one; 0 without any. */
  readonly badWindowMs: number;
  /** The slowest answer. */
  readonly slowestMs: number;
  readonly badRequests: readonly BadRequest[];
}

export const emptyReport: LoadReport = {
  sent: 0,
  ok: 0,
  bad: 0,
  lost: 0,
  byVersion: {},
  badWindowMs: 0,
  slowestMs: 0,
  badRequests: [],
};

/** The time from the first bad answer to the last. */
export function badWindowOf(badRequests: readonly BadRequest[]): number {
  const times = badRequests.filter(({ kind }) => kind === "bad").map(({ atMs }) => atMs);
  return times.length === 0 ? 0 : Math.max(...times) - Math.min(...times);
}
