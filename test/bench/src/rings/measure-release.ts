import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { endings, playRelease } from "./release.ts";

/*
 * Measures one release by rings in a process of its own and prints the result as JSON:
 *
 *   node --expose-gc measure-release.ts TARGETS ENDING
 *
 * In this order, because each measurement would spoil the one before: the most memory that the process takes when nothing but one
 * release runs in it; the live memory while it runs; the time once everything is compiled.
 */
const [targets, ending] = z.tuple([z.coerce.number().int().positive(), z.enum(endings)]).parse(process.argv.slice(2));

/** So that each size is measured in code that has run equally often. */
const warmUpTargets = 10_000;
const timedRuns = 5;

await playRelease(100, ending);
const beforeBytes = await settledBytes();

const { entries, simulatedMs } = await playRelease(targets, ending);
const peakResidentBytes = process.resourceUsage().maxRSS * 1024;

await settledBytes();
let peakBytes = 0;
const interval = Math.ceil(entries / 20);
await playRelease(targets, ending, (written) => {
  if (written % interval === 0) peakBytes = Math.max(peakBytes, liveBytes());
});

for (let played = 0; played < warmUpTargets; played += targets) await playRelease(targets, ending);
const durationsMs: number[] = [];
for (let run = 0; run < timedRuns; run++) {
  await settledBytes();
  const startedAtMs = performance.now();
  await playRelease(targets, ending);
  durationsMs.push(performance.now() - startedAtMs);
}

console.log(
  JSON.stringify({ durationsMs, liveBytes: peakBytes - beforeBytes, peakResidentBytes, entries, simulatedMs }),
);

/** What is alive in the heap. */
function liveBytes(): number {
  if (!globalThis.gc) throw new Error("Start this with --expose-gc.");
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** The same once finalizers, which run only between events, have let go of what they hold. */
async function settledBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    liveBytes();
    await sleep(10);
  }
  return liveBytes();
}
