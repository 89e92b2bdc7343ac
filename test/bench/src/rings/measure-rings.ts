import { fileURLToPath } from "node:url";
import type { Progress } from "@bascule/rig";
import { execa } from "execa";
import { z } from "zod";
import { median } from "../statistics.ts";
import { endings, type Ending } from "./release.ts";

const measurementSchema = z.strictObject({
  durationsMs: z.array(z.number()).min(1),
  liveBytes: z.number(),
  peakResidentBytes: z.number(),
  entries: z.number(),
  simulatedMs: z.number(),
});

/** What the engine took for one release by rings. */
export interface RingsMeasurement {
  readonly ending: Ending;
  readonly targets: number;
  readonly bestMs: number;
  readonly medianMs: number;
  /** The most that was alive in the heap during the release, over what was alive before. */
  readonly liveBytes: number;
  /** The most memory that a process took in which only this release ran, Node itself included. */
  readonly peakResidentBytes: number;
  readonly journalEntries: number;
  /** How long the release would have taken on real targets. */
  readonly simulatedMs: number;
}

const ringSizes = [100, 1_000, 10_000] as const;

const program = fileURLToPath(new URL("./measure-release.ts", import.meta.url));
const limitMs = 600_000;

/** Measures the engine alone, each size in a process of its own. */
export async function measureRings(progress: Progress): Promise<readonly RingsMeasurement[]> {
  const measurements: RingsMeasurement[] = [];
  for (const ending of endings) {
    for (const targets of ringSizes) {
      const parameters = ["--expose-gc", "--disable-warning=ExperimentalWarning", program, String(targets), ending];
      const { stdout } = await execa(process.execPath, parameters, { timeout: limitMs });
      const { durationsMs, entries, ...measured } = measurementSchema.parse(JSON.parse(stdout));
      const medianMs = median(durationsMs);
      progress(`rings, ${ending}: ${targets} targets in ${medianMs.toFixed(0)} ms`);
      measurements.push({
        ending,
        targets,
        bestMs: Math.min(...durationsMs),
        medianMs,
        journalEntries: entries,
        ...measured,
      });
    }
  }
  return measurements;
}
