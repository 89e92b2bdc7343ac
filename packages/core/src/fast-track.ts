/** What decides whether going back may skip the steps. */
export interface RollbackQuestion {
  /** All versions that were ever in service, without experiments, the oldest first. */
  readonly revisionsOldestFirst: readonly string[];
  /** The version in service. */
  readonly stable: string | undefined;
  /** The version that is to take over. */
  readonly candidate: string | undefined;
  /** How far back the window reaches. */
  readonly revisions: number;
}

/**
 * Whether the candidate is a former version that may come back at once, without steps, pauses and analysis: it is older than the
 * stable version, and fewer than `revisions` versions are between the two. This is what Argo Rollouts does (rollout/sync.go,
 * isRollbackWithinWindow), which reaches one version further than its documentation says. An unknown version may not.
 */
export function isWithinRollbackWindow({
  revisionsOldestFirst,
  stable,
  candidate,
  revisions,
}: RollbackQuestion): boolean {
  if (stable === undefined || candidate === undefined) return false;
  const from = revisionsOldestFirst.lastIndexOf(candidate);
  const to = revisionsOldestFirst.lastIndexOf(stable);
  return from >= 0 && from < to && to - from - 1 < revisions;
}
