import type { Answer } from "../comparison/answer.ts";
import type { AnswerDifference } from "../report/report.ts";

/** A request as the shadow shall get it. */
export interface RequestCopy {
  readonly method: string;
  /** The request's target: path and query. */
  readonly target: string;
  /** Names and values in turn, without those that belong to a connection. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** An answer, and the time from the moment its request was sent whole to its beginning. */
export interface TimedAnswer {
  readonly answer: Answer;
  readonly milliseconds: number;
}

/** What the mirror tells the thread that asks the shadow. */
export type ToShadow =
  | { readonly kind: "copy"; readonly id: number; readonly copy: RequestCopy }
  | { readonly kind: "primaryAnswered"; readonly id: number; readonly timed: TimedAnswer }
  | { readonly kind: "giveUp"; readonly id: number };

/** What became of one pair. */
export type Outcome =
  | {
      readonly kind: "compared";
      readonly primaryMs: number;
      readonly shadowMs: number;
      readonly differences: readonly AnswerDifference[];
    }
  | { readonly kind: "notCompared" }
  | { readonly kind: "shadowFailed"; readonly why: ShadowFailure };

/** How the shadow failed: nobody listens, no such name, no answer, an answer that ended too early, or too late. */
export type ShadowFailure = "refused" | "unknown name" | "no answer" | "cut" | "timeout";

/** What the shadow's thread tells the mirror. */
export interface EndedPair {
  readonly kind: "ended";
  readonly id: number;
  readonly outcome: Outcome;
}

/** What the comparing thread is given: the two answers of a pair. */
export interface ToCompare {
  readonly id: number;
  readonly primary: Answer;
  readonly shadow: Answer;
}

/** What it finds: undefined when it cannot be said. */
export interface Compared {
  readonly kind: "compared";
  readonly id: number;
  readonly differences: readonly AnswerDifference[] | undefined;
}
