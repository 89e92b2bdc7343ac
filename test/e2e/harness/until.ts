import { setTimeout as sleep } from "node:timers/promises";

/** Asks every few milliseconds until the answer is yes. @throws Error naming what was waited for */
export async function until(what: string, isDone: () => Promise<boolean> | boolean, limitMs = 60_000): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!(await isDone())) {
    if (performance.now() > deadlineMs) throw new Error(`Waited ${limitMs / 1000} s in vain for ${what}.`);
    await sleep(5);
  }
}
