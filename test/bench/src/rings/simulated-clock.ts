import type { Clock } from "@bascule/engine";
import TinyQueue from "tinyqueue";

/**
 * A clock whose time jumps to the next sleeper as soon as nothing else is left to do, so that a night of waiting takes no time and
 * what is left to measure is work. A sleep costs the same however many others sleep, up to the logarithm of how many moments are
 * waited for: the clock must not be what grows.
 */
export function createSimulatedClock(startMs: number): Clock {
  const sleepersAt = new Map<number, Set<() => void>>();
  const moments = new TinyQueue<number>();
  let nowMs = startMs;
  let isJumpDue = false;

  const planJump = () => {
    if (isJumpDue || sleepersAt.size === 0) return;
    isJumpDue = true;
    setImmediate(jump);
  };

  const jump = () => {
    isJumpDue = false;
    for (let moment = moments.pop(); moment !== undefined; moment = moments.pop()) {
      const sleepers = sleepersAt.get(moment);
      // Nobody is left there when all were woken early.
      if (!sleepers) continue;
      sleepersAt.delete(moment);
      nowMs = moment;
      for (const wake of sleepers) wake();
      break;
    }
    planJump();
  };

  const add = (moment: number, wake: () => void) => {
    const sleepers = sleepersAt.get(moment);
    if (sleepers) {
      sleepers.add(wake);
      return;
    }
    sleepersAt.set(moment, new Set([wake]));
    moments.push(moment);
  };

  const remove = (moment: number, wake: () => void) => {
    const sleepers = sleepersAt.get(moment);
    sleepers?.delete(wake);
    if (sleepers?.size === 0) sleepersAt.delete(moment);
  };

  return {
    nowMs: () => nowMs,
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) {
          resolve();
          return;
        }
        const moment = nowMs + durationMs;
        const wake = () => {
          remove(moment, wake);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        add(moment, wake);
        signal?.addEventListener("abort", wake, { once: true });
        planJump();
      }),
  };
}
