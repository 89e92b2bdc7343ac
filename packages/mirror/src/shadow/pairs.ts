import { compareAnswers, type ComparisonRules } from "../comparison/compare-answers.ts";
import type { FromShadow, Outcome, RequestCopy, TimedAnswer, ToShadow } from "./messages.ts";
import type { ShadowResult } from "./send-copy.ts";

interface OpenPair {
  readonly cancel: () => void;
  primary?: TimedAnswer;
  shadow?: ShadowResult;
}

/** Sends a copy, calls back once with what came of it, and gives what cancels it. */
export type SendCopy = (copy: RequestCopy, done: (result: ShadowResult) => void) => () => void;

/** Joins the answers of the primary and of the shadow, whichever comes first, and tells the outcome of each pair exactly once. */
export function joinPairs(
  send: SendCopy,
  rules: ComparisonRules,
  tell: (message: FromShadow) => void,
): (message: ToShadow) => void {
  const open = new Map<number, OpenPair>();

  const end = (id: number, outcome: Outcome) => {
    open.get(id)?.cancel();
    open.delete(id);
    tell({ id, outcome });
  };

  const settle = (id: number, { primary, shadow }: OpenPair) => {
    if (shadow?.kind === "tooLarge") end(id, { kind: "notCompared" });
    // Whether an answer was owed is known only when the primary has given one.
    else if (shadow !== undefined && primary !== undefined) end(id, outcomeOf(primary, shadow, rules));
  };

  return (message) => {
    if (message.kind === "copy") {
      const { id, copy } = message;
      const cancel = send(copy, (shadow) => {
        const pair = open.get(id);
        if (pair === undefined) return;
        pair.shadow = shadow;
        settle(id, pair);
      });
      open.set(id, { cancel });
      return;
    }
    const pair = open.get(message.id);
    if (pair === undefined) return;
    if (message.kind === "giveUp") {
      end(message.id, { kind: "notCompared" });
      return;
    }
    pair.primary = message.timed;
    settle(message.id, pair);
  };
}

function outcomeOf(
  primary: TimedAnswer,
  shadow: Exclude<ShadowResult, { readonly kind: "tooLarge" }>,
  rules: ComparisonRules,
): Outcome {
  if (shadow.kind === "failed") return { kind: "shadowFailed", why: shadow.why };
  const differences = compareAnswers(primary.answer, shadow.timed.answer, rules);
  if (differences === undefined) return { kind: "notCompared" };
  return {
    kind: "compared",
    primaryMs: primary.milliseconds,
    shadowMs: shadow.timed.milliseconds,
    differences,
  };
}
