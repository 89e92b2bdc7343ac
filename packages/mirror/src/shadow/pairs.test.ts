import { describe, expect, it } from "vitest";
import type { EndedPair, ToCompare } from "./messages.ts";
import { joinPairs } from "./pairs.ts";
import type { ShadowResult } from "./send-copy.ts";

const copy = { method: "GET", target: "/", headers: [], body: new Uint8Array() };
const answer = { status: 200, headers: [], body: new Uint8Array() };
const primary = { kind: "primaryAnswered", id: 1, timed: { answer, milliseconds: 5 } } as const;
const answered: ShadowResult = { kind: "answered", timed: { answer, milliseconds: 7 } };

function joining() {
  const ended: EndedPair[] = [];
  const compared: ToCompare[] = [];
  const cancelled: string[] = [];
  let answers = (_result: ShadowResult) => {};
  const pairs = joinPairs({
    send: (_copy, done) => {
      answers = done;
      return () => cancelled.push("cancelled");
    },
    compare: (each) => compared.push(each),
    tell: (each) => ended.push(each),
  });
  pairs.told({ kind: "copy", id: 1, copy });
  return { pairs, ended, compared, cancelled, shadow: (result: ShadowResult) => answers(result) };
}

describe("a pair of answers", () => {
  it.each(["primary", "shadow"])("is compared when both are there, the first being that of the %s", (first) => {
    const { pairs, shadow, ended, compared } = joining();
    const acts = [() => pairs.told(primary), () => shadow(answered)];
    for (const act of first === "primary" ? acts : acts.toReversed()) {
      expect(compared).toEqual([]);
      act();
    }
    expect(compared).toEqual([{ id: 1, primary: answer, shadow: answer }]);
    expect(ended).toEqual([]);

    pairs.compared(1, []);
    pairs.compared(1, []);
    const outcome = { kind: "compared", primaryMs: 5, shadowMs: 7, differences: [] };
    expect(ended).toEqual([{ kind: "ended", id: 1, outcome }]);
  });

  it("that cannot be compared is told so", () => {
    const { pairs, shadow, ended } = joining();
    pairs.told(primary);
    shadow(answered);
    pairs.compared(1, undefined);
    expect(ended).toEqual([{ kind: "ended", id: 1, outcome: { kind: "notCompared" } }]);
  });

  it("is not compared when the comparison fails, once for all that wait for it", () => {
    const { pairs, shadow, ended } = joining();
    pairs.told(primary);
    shadow(answered);
    pairs.comparisonFailed();
    pairs.compared(1, []);
    expect(ended).toEqual([{ kind: "ended", id: 1, outcome: { kind: "notCompared" } }]);
  });

  it("is the shadow's failure only when the primary has answered", () => {
    const { pairs, shadow, ended } = joining();
    shadow({ kind: "failed", why: "refused" });
    expect(ended).toEqual([]);
    pairs.told(primary);
    expect(ended).toEqual([{ kind: "ended", id: 1, outcome: { kind: "shadowFailed", why: "refused" } }]);
  });

  it("is given up when the shadow's is too large, or the primary's will not come", () => {
    const tooLarge = joining();
    tooLarge.shadow({ kind: "tooLarge" });
    tooLarge.pairs.told(primary);
    const givenUp = joining();
    givenUp.pairs.told({ kind: "giveUp", id: 1 });
    givenUp.shadow(answered);

    for (const { ended, compared, cancelled } of [tooLarge, givenUp]) {
      expect(ended).toEqual([{ kind: "ended", id: 1, outcome: { kind: "notCompared" } }]);
      expect(compared).toEqual([]);
      expect(cancelled).toEqual(["cancelled"]);
    }
  });
});
