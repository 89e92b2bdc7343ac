import { distinctDifferences } from "../report/distinct-differences.ts";
import type { LatencyPair, MirrorReport } from "../report/report.ts";
import type { Outcome } from "../shadow/messages.ts";
import { latest } from "./latest.ts";

const keptSamples = 1_000;

/** What a request is called in the report. */
export interface RequestName {
  readonly method: string;
  /** As `describePath` gives it. */
  readonly path: string;
}

/** Counts for the report. */
export interface Tally {
  readonly seen: () => void;
  readonly mirrored: () => void;
  readonly primaryFailed: () => void;
  readonly ended: (request: RequestName, outcome: Outcome) => void;
  readonly report: () => MirrorReport;
}

export function createTally(): Tally {
  const counts = { seen: 0, mirrored: 0, compared: 0, differed: 0, notCompared: 0, shadowFailed: 0, primaryFailed: 0 };
  const samples = latest<LatencyPair>(keptSamples);
  const differences = distinctDifferences();
  return {
    seen: () => counts.seen++,
    mirrored: () => counts.mirrored++,
    primaryFailed: () => counts.primaryFailed++,
    ended: (request, outcome) => {
      switch (outcome.kind) {
        case "notCompared":
          counts.notCompared++;
          return;
        case "shadowFailed":
          counts.shadowFailed++;
          differences.add({ ...request, what: "missing", shadow: outcome.why, count: 1 });
          return;
        case "compared":
          counts.compared++;
          if (outcome.differences.length > 0) counts.differed++;
          for (const difference of outcome.differences) differences.add({ ...request, ...difference, count: 1 });
          samples.add({ primaryMs: outcome.primaryMs, shadowMs: outcome.shadowMs });
      }
    },
    report: () => ({ ...counts, samples: samples.list(), differences: differences.list() }),
  };
}
