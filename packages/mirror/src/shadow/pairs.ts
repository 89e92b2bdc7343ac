import type { AnswerDifference } from "../report/report.ts";
import type { EndedPair, Outcome, RequestCopy, TimedAnswer, ToCompare, ToShadow } from "./messages.ts";
import type { ShadowResult } from "./send-copy.ts";

interface OpenPair {
  readonly cancel: () => void;
  primary?: TimedAnswer;
  shadow?: ShadowResult;
}

/** What joining needs: each function is quick, and answers later by calling back or by another call. */
export interface PairPorts {
  /** Sends a copy, calls back once with what came of it, and gives what cancels it. */
  readonly send: (copy: RequestCopy, done: (result: ShadowResult) => void) => () => void;
  /** Has two answers compared; `compared` is then called, or `comparisonFailed` for all of them. */
  readonly compare: (answers: ToCompare) => void;
  /** Tells the outcome of a pair, once for each. */
  readonly tell: (ended: EndedPair) => void;
}

/** Joins the answers of the primary and of the shadow, whichever comes first. */
export interface PairJoining {
  told(message: ToShadow): void;
  compared(id: number, differences: readonly AnswerDifference[] | undefined): void;
  comparisonFailed(): void;
}

export function joinPairs({ send, compare, tell }: PairPorts): PairJoining {
  const open = new Map<number, OpenPair>();
  const comparing = new Map<number, { readonly primaryMs: number; readonly shadowMs: number }>();

  const end = (id: number, outcome: Outcome) => {
    open.get(id)?.cancel();
    open.delete(id);
    comparing.delete(id);
    tell({ kind: "ended", id, outcome });
  };

  const settle = (id: number, { primary, shadow }: OpenPair) => {
    // Whether an answer was owed is known only when the primary has given one; one that is too large is never compared.
    if (shadow?.kind === "tooLarge") end(id, { kind: "notCompared" });
    else if (shadow === undefined || primary === undefined) return;
    else if (shadow.kind === "failed") end(id, { kind: "shadowFailed", why: shadow.why });
    else {
      open.delete(id);
      comparing.set(id, { primaryMs: primary.milliseconds, shadowMs: shadow.timed.milliseconds });
      compare({ id, primary: primary.answer, shadow: shadow.timed.answer });
    }
  };

  const begin = (id: number, copy: RequestCopy) => {
    const cancel = send(copy, (shadow) => {
      const pair = open.get(id);
      if (pair === undefined) return;
      pair.shadow = shadow;
      settle(id, pair);
    });
    open.set(id, { cancel });
  };

  return {
    told: (message) => {
      const { id } = message;
      const pair = open.get(id);
      if (message.kind === "copy") begin(id, message.copy);
      else if (pair === undefined) return;
      else if (message.kind === "giveUp") end(id, { kind: "notCompared" });
      else {
        pair.primary = message.timed;
        settle(id, pair);
      }
    },
    compared: (id, differences) => {
      const times = comparing.get(id);
      if (times === undefined) return;
      end(id, differences === undefined ? { kind: "notCompared" } : { kind: "compared", ...times, differences });
    },
    comparisonFailed: () => {
      for (const id of comparing.keys()) end(id, { kind: "notCompared" });
    },
  };
}
