import { nextEntry, planRings, type JournalEntry, type RingOutcome, type RingPlan } from "@bascule/core";
import { runRings, type Journal } from "@bascule/engine";
import { createFleet, type FleetTroubles } from "./fleet.ts";
import { createSimulatedClock } from "./simulated-clock.ts";

/** What becomes of a release that is measured. */
export const endings = ["completed", "rolledBack"] as const;
export type Ending = (typeof endings)[number];

/** One release by rings that has run. */
export interface PlayedRelease {
  readonly outcome: RingOutcome;
  /** How many entries the journal got. */
  readonly entries: number;
  /** How long the release would have taken on real targets, in milliseconds. */
  readonly simulatedMs: number;
}

const startMs = Date.UTC(2026, 10, 24, 22);
const versions = { stable: "firmware-1", candidate: "firmware-2" };

/**
 * Runs a release by rings over so many targets: a pilot, a hundredth, a tenth, the rest; 50 at once, and a soak after each of the small
 * rings. One target in 20 has to be tried twice, and one in 50 of the last ring fails. With the ending `rolledBack` the last tenth of
 * the last ring fails, which is more than its budget, so that nearly everything was changed and all of it goes back: the dearest end.
 *
 * @param onEntry called after each journal entry, with the number of entries so far
 */
export async function playRelease(
  targets: number,
  ending: Ending,
  onEntry: (entries: number) => void = () => {},
): Promise<PlayedRelease> {
  const clock = createSimulatedClock(startMs);
  const ids = Array.from({ length: targets }, (_, index) => `switch-${index + 1}`);
  const small = { concurrency: 50, soakMs: 600_000 };
  const plan = planRings(
    ids.map((id) => ({ id, labels: { site: "paris" } })),
    {
      rings: [
        { count: 1, pilot: true },
        { percent: 1, ...small },
        { percent: 10, failureBudget: { percent: 5 }, ...small },
        { rest: true, concurrency: 50, failureBudget: { percent: 5 } },
      ],
      deadlineMs: 86_400_000,
    },
  );
  let last: JournalEntry | undefined;
  let entries = 0;
  // Chained and kept nowhere: what a disk takes is not the engine's.
  const journal: Journal = {
    append: async (run, fact) => {
      last = nextEntry(last, run, fact, clock.nowMs());
      onEntry(++entries);
      return last;
    },
  };
  const target = createFleet(ids, versions.stable, versions.candidate, troublesOf(ids, plan, ending), clock);
  const outcome = await runRings(
    { run: { id: "benchmark", candidate: versions.candidate, plan, completedRuns: [] }, change: {} },
    { target, journal, clock },
  );
  if (outcome.phase !== ending) throw new Error(`The release ended as ${outcome.phase}, not as ${ending}.`);
  return { outcome, entries, simulatedMs: clock.nowMs() - startMs };
}

function troublesOf(ids: readonly string[], { rings }: RingPlan, ending: Ending): FleetTroubles {
  const last = rings.at(-1)?.targets ?? [];
  const broken =
    ending === "completed" ? last.filter((_, index) => index % 50 === 49) : last.slice(Math.floor(last.length * 0.9));
  return { broken: new Set(broken), shaky: new Set(ids.filter((_, index) => index % 20 === 19)) };
}
