import type { Clock } from "./ports.ts";

/** How an attempt ended: with its result, because time was up, or because the caller stopped it. */
export type Limited<Result> =
  { readonly kind: "ended"; readonly result: Result } | { readonly kind: "timedOut" } | { readonly kind: "stopped" };

/** Made once: the usual reason is an exception with a stack, and there is an attempt for each measurement. */
const isOver = new Error("nobody waits for it any more");

/**
 * Runs an attempt that must be over within the limit, in milliseconds. Whatever ends it, the attempt's own signal is aborted, so that
 * nothing stays open; an attempt that does not heed its signal is not waited for. Throws what the attempt throws.
 */
export async function withinLimit<Result>(
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<Result>,
): Promise<Limited<Result>> {
  if (signal.aborted) return { kind: "stopped" };
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const limit = clock
    .sleep(limitMs, either)
    .then((): Limited<Result> => (signal.aborted ? { kind: "stopped" } : { kind: "timedOut" }));
  const attempted = Promise.resolve(either)
    .then(attempt)
    .then((result): Limited<Result> => ({ kind: "ended", result }));
  try {
    return await Promise.race([attempted, limit]);
  } catch (thrown) {
    if (signal.aborted) return { kind: "stopped" };
    throw thrown;
  } finally {
    over.abort(isOver);
    // Whichever lost the race still ends, and its rejection is nobody's any more.
    attempted.catch(() => undefined);
    limit.catch(() => undefined);
  }
}
