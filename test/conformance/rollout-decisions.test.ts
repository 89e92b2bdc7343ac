import { isWithinRollbackWindow, stepsFromArgoRollouts } from "../../packages/core/src/index.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accountFor } from "./case-accounting.ts";

/*
 * What Argo Rollouts' controller decides from one look at the world, as far as a function of ours answers the same question. Most of
 * its decisions are about a state that it keeps between two looks; here the transaction decides them, and the table says where.
 */

const cases = accountFor("rollout-decisions.json", {});

/** Groups that no pure function answers by itself, with the place where Bascule decides the same. */
const decidedElsewhere: Readonly<Record<string, string>> = {
  shouldFullPromote:
    "the candidate is promoted when the plan's last step is done; a former version by the fast track (begin-plan.ts, cutover/next.ts of core)",
  pause:
    "a pause is a step that a later commit approves, a wait is a soak with an end; a bad or inconclusive analysis goes back instead of pausing (cutover/next.ts of core)",
  skipPromotionAnalysis:
    "the verifications before and after the shift are steps of the plan, and none is left out (plan/strategies.ts and plan/begin-plan.ts of core)",
  dynamicallyRollingBackToStable:
    "traffic goes back to the stable version first, in one move (the phase `restoring` of cutover/next.ts of core)",
  timedOut: "one deadline holds for the whole plan, at which it goes back (run-cutover.ts of the engine)",
  progressing: "the deadline of the plan does not start again when something moves (run-cutover.ts of the engine)",
  rolloutPhase: "the phase of a release is the state of its transaction, in the journal (cutover/state.ts of core)",
  defaults:
    "how long the old version stays is the hold of the plan, and the limit of errors belongs to the probe (plan/strategies.ts and analysis/assess.ts of core)",
  trafficWeight:
    "the weight is the step's; a candidate has its Pods before it gets traffic (plan/traffic.ts of core and the sizes of the platform)",
  blueGreenPause:
    "promotion by a later commit is the pause `promote`, by itself after a time a soak (plan/strategies.ts and cutover/next.ts of core)",
  e2eTraces: "whole transactions are run by the model test of the engine and on a cluster (test/e2e)",
};
cases.leaveOut(decidedElsewhere, "decided elsewhere");

describe("isWithinRollbackWindow decides as rollbackWindow does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({
      revisionsOldestFirst: z.array(z.string()),
      experimentRevisions: z.array(z.string()),
      stable: z.string(),
      new: z.string().nullable(),
      rollbackWindowRevisions: z.int(),
    }),
    expected: z.boolean(),
  });

  it.each(cases.casesOf("rollbackWindow", schema))("$id: $expected", ({ id, input, expected }) => {
    const answer = isWithinRollbackWindow({
      revisionsOldestFirst: input.revisionsOldestFirst.filter((name) => !input.experimentRevisions.includes(name)),
      stable: input.stable,
      candidate: input.new ?? undefined,
      revisions: input.rollbackWindowRevisions,
    });
    cases.compare(id, answer, expected);
  });
});

describe("stepsFromArgoRollouts reads a pause as pauseDurationSeconds does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({ duration: z.string().nullable() }),
    expected: z.number(),
  });

  /** What Argo Rollouts reads from a duration that it then refuses. */
  const invalid = -1;

  function pauseOf(duration: string | null): number {
    const pause = duration === null ? {} : { duration };
    try {
      const { steps } = stepsFromArgoRollouts({ strategy: { canary: { steps: [{ pause }] } } });
      const soak = steps.find((step) => step.kind === "soak");
      // Without a duration, Argo Rollouts reads 0 and waits until somebody goes on.
      if (soak === undefined) expect(steps).toContainEqual({ kind: "pause", name: "step-1" });
      return (soak?.durationMs ?? 0) / 1_000;
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "invalid-input" });
      return invalid;
    }
  }

  it.each(cases.casesOf("pauseDurationSeconds", schema))("$id: $input.duration", ({ id, input, expected }) => {
    cases.compare(id, pauseOf(input.duration), expected);
  });
});

cases.close();
