import { parentPort } from "node:worker_threads";
import { compareAnswers, comparisonRules } from "../comparison/compare-answers.ts";
import type { MirrorSettings } from "../options.ts";
import type { Ready } from "./kept-thread.ts";
import type { Compared, ToCompare } from "./messages.ts";

/** Compares answers, one pair after the other, in a thread of its own. */
export function runComparisonThread(settings: MirrorSettings): void {
  const rules = comparisonRules(settings);
  const tell = (message: Compared | Ready) => parentPort?.postMessage(message);
  parentPort?.on("message", ({ id, primary, shadow }: ToCompare) => {
    tell({ kind: "compared", id, differences: compareAnswers(primary, shadow, rules) });
  });
  tell({ kind: "ready" });
}
