import { readJournal } from "@bascule/engine";
import type { Load } from "@bascule/rig";
import { createLogUpdate } from "log-update";

/** What the live view shows. */
export interface LiveViewOptions {
  readonly title: string;
  readonly journalPath: string;
  readonly loads: readonly Load[];
}

const refreshMs = 200;

/**
 * Shows a release while it happens: phase, traffic, probes, requests per second by version, failures. On a terminal it redraws one
 * block; elsewhere it prints a line whenever the phase changes.
 */
export function startLiveView(options: LiveViewOptions): { stop(): Promise<void> } {
  const isTerminal = process.stdout.isTTY;
  const redraw = createLogUpdate(process.stdout);
  const rates = rateMeter(options.loads);
  let lastPhase = "";

  const draw = async () => {
    const seen = await look(options.journalPath);
    if (isTerminal) redraw(block(options.title, seen, rates(), options.loads));
    else if (seen.phase !== lastPhase) console.log(`  ${seen.phase} · traffic: ${seen.traffic} · ${rates()}`);
    lastPhase = seen.phase;
  };
  const timer = setInterval(() => void draw().catch(() => {}), refreshMs);

  return {
    stop: async () => {
      clearInterval(timer);
      await draw().catch(() => {});
      redraw.done();
    },
  };
}

interface Seen {
  readonly phase: string;
  readonly traffic: string;
  readonly passed: number;
  readonly failed: number;
}

const phases: Readonly<Record<string, string>> = {
  snapshotTaken: "snapshot taken",
  cutoverStarted: "cut-over started",
  routerObserved: "router observed",
  routerClaimed: "router claimed",
  stepPassed: "step passed",
  trafficShifted: "traffic shifted",
  rollbackStarted: "ROLLING BACK",
  trafficRestored: "traffic restored, verifying the old version",
  stableVerified: "old version verified",
  connectionsEnded: "ending connections to the failed version",
  committed: "committed; the old version is being removed",
  rolledBack: "rolled back",
};

/** What the journal says by now. It is being written, so a half line or none at all is normal. */
async function look(path: string): Promise<Seen> {
  const entries = await readJournal(path).catch(() => []);
  const seen = { phase: "the candidate is standing up", traffic: "the old version", passed: 0, failed: 0 };
  for (const { fact } of entries) {
    if (fact.kind === "measured") {
      const verdict = JSON.stringify(fact["measurement"]).includes('"verdict":"pass"') ? "passed" : "failed";
      seen[verdict]++;
    } else {
      seen.phase = fact.kind === "stepStarted" ? String(fact["description"]) : (phases[fact.kind] ?? fact.kind);
    }
    if (fact.kind === "trafficShifted" || fact.kind === "trafficRestored")
      seen.traffic = JSON.stringify(fact["weights"]);
  }
  return seen;
}

function block(title: string, seen: Seen, rates: string, loads: readonly Load[]): string {
  const reports = loads.map((load) => load.statistics());
  const total = (field: "sent" | "bad" | "lost") => reports.reduce((sum, report) => sum + report[field], 0);
  return [
    title,
    `  phase     ${seen.phase}`,
    `  traffic   ${seen.traffic}`,
    `  probes    ${seen.passed} passed, ${seen.failed} failed`,
    `  requests  ${rates}`,
    `  clients   ${total("sent")} sent, ${total("bad")} bad answers, ${total("lost")} lost`,
  ].join("\n");
}

/** Requests per second by version, over the time since it was last asked. */
function rateMeter(loads: readonly Load[]): () => string {
  let before: Record<string, number> = {};
  let askedAtMs = performance.now();
  return () => {
    const now: Record<string, number> = {};
    for (const load of loads) {
      for (const [version, count] of Object.entries(load.statistics().byVersion))
        now[version] = (now[version] ?? 0) + count;
    }
    const seconds = (performance.now() - askedAtMs) / 1000;
    const rates = Object.entries(now).map(
      ([version, count]) => `${version} ${Math.round((count - (before[version] ?? 0)) / seconds)}/s`,
    );
    before = now;
    askedAtMs = performance.now();
    return rates.join("  ") || "none yet";
  };
}
