import { setImmediate as afterMicrotasks } from "node:timers/promises";
import type { Clock } from "./ports.ts";

/** A clock whose time passes only when nothing else is left to do, so that hours take milliseconds and each run is the same. */
export interface FakeClock extends Clock {
  /** The same time for somebody who may be held: while `isRunnable` says no, none of their sleeps ends. */
  view(isRunnable: () => boolean): Clock;
  /** Lets time pass until `isOver`. Throws when nobody sleeps, or when more than `limitMs` have passed: somebody waits for ever. */
  passUntil(isOver: () => boolean, limitMs?: number): Promise<void>;
  /** Lets time pass until the promise is settled, and gives its result. */
  passUntilSettled<Result>(promise: Promise<Result>): Promise<Result>;
  /** Lets so much time pass at once. */
  skip(durationMs: number): void;
}

interface Sleeper {
  readonly atMs: number;
  readonly isRunnable: () => boolean;
  readonly wake: () => void;
}

const oneDayMs = 86_400_000;

/** A fake clock that begins at the given time, in milliseconds since 1970. */
export function createFakeClock(startMs = Date.UTC(2026, 10, 24, 12)): FakeClock {
  const sleepers = new Set<Sleeper>();
  let nowMs = startMs;

  const view = (isRunnable: () => boolean): Clock => ({
    nowMs: () => nowMs,
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) {
          resolve();
          return;
        }
        const wake = () => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper: Sleeper = { atMs: nowMs + durationMs, isRunnable, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake, { once: true });
      }),
  });

  const passUntil = async (isOver: () => boolean, limitMs = oneDayMs) => {
    const endMs = nowMs + limitMs;
    for (;;) {
      await afterMicrotasks();
      if (isOver()) return;
      const first = [...sleepers]
        .filter((sleeper) => sleeper.isRunnable())
        .reduce<Sleeper | undefined>(
          (best, sleeper) => (best && best.atMs <= sleeper.atMs ? best : sleeper),
          undefined,
        );
      if (!first) throw new Error("Everybody waits for something that never comes.");
      nowMs = Math.max(nowMs, first.atMs);
      if (nowMs > endMs) throw new Error(`It is not over after ${limitMs} ms.`);
      first.wake();
    }
  };

  return {
    ...view(() => true),
    view,
    passUntil,
    passUntilSettled: async (promise) => {
      let isSettled = false;
      const settled = promise.finally(() => (isSettled = true));
      settled.catch(() => undefined);
      await passUntil(() => isSettled);
      return settled;
    },
    skip: (durationMs) => {
      nowMs += durationMs;
    },
  };
}
