import { difference, type DifferenceProbe } from "@bascule/core";
import { systemClock } from "@bascule/engine";
import type { Difference, MirrorReport } from "@bascule/mirror";
import { describe, expect, it } from "vitest";
import { differenceMeasurement, judgeDifference } from "./difference.ts";

const never = new AbortController().signal;

const price: Difference = {
  method: "GET",
  path: "/orders",
  what: "body",
  at: "$.items[*].price",
  primary: "number",
  shadow: "string",
  count: 3,
};

function reportOf(change: Partial<MirrorReport>): MirrorReport {
  return {
    seen: 0,
    mirrored: 0,
    compared: 0,
    differed: 0,
    notCompared: 0,
    shadowFailed: 0,
    primaryFailed: 0,
    samples: [],
    differences: [],
    ...change,
  };
}

const judge = (report: Partial<MirrorReport>, options: Partial<DifferenceProbe> = {}) =>
  judgeDifference(difference(options), reportOf(report));

describe("how often a candidate answers otherwise", () => {
  it("passes when enough answers were compared and none differed", () => {
    expect(judge({ compared: 20 })).toEqual({ verdict: "pass", message: "0 of 20 answers differed (0 %)" });
  });

  it("fails above what is borne, and names the ways in which answers differ", () => {
    const { verdict, message } = judge({ compared: 100, differed: 3, differences: [price] }, { maximumPercent: 2 });
    expect(verdict).toBe("fail");
    expect(message).toBe(
      "3 of 100 answers differed (3 %): GET /orders differs in its body at $.items[*].price (string instead of number), 3 times; at most 2 % may",
    );
  });

  it("passes at what is borne", () => {
    expect(judge({ compared: 100, differed: 3 }, { maximumPercent: 3 }).verdict).toBe("pass");
  });

  it("counts an answer that the candidate owes as one that differs", () => {
    expect(judge({ compared: 30, shadowFailed: 1 }).verdict).toBe("fail");
  });

  it.each([
    ["nothing was compared", {}, {}],
    ["too little was", { compared: 19 }, {}],
    ["too little was, although it differed", { compared: 19, differed: 19 }, {}],
    ["less was than asked for", { compared: 99 }, { minimumCompared: 100 }],
  ])("is inconclusive when %s", (_what, report, options) => {
    const { verdict, message } = judge(report, options);
    expect(verdict).toBe("inconclusive");
    expect(message).toMatch(/prove nothing: copy requests for longer, or lower minimumCompared$/);
  });
});

describe("how fast a candidate answers", () => {
  const samplesOf = (count: number, shadowMs: (index: number) => number) =>
    Array.from({ length: count }, (_none, index) => ({ primaryMs: 10 + (index % 7), shadowMs: shadowMs(index) }));

  it("is not compared unless the probe asks for it", () => {
    expect(judge({ compared: 100, samples: samplesOf(100, () => 900) }).verdict).toBe("pass");
  });

  it("passes when it is no slower, by statistics", () => {
    const samples = samplesOf(100, (index) => 10 + ((index + 3) % 7));
    const { verdict, message } = judge({ compared: 100, samples }, { compare: {} });
    expect(verdict).toBe("pass");
    expect(message).toMatch(
      /^0 of 100 answers differed \(0 %\); latency in ms: The candidate is not shown to be higher/,
    );
  });

  it("fails when it is slower, although no answer differs", () => {
    const samples = samplesOf(100, (index) => 40 + (index % 7));
    const { verdict, message } = judge({ compared: 100, samples }, { compare: {} });
    expect(verdict).toBe("fail");
    expect(message).toMatch(/latency in ms: The candidate is higher than the baseline/);
  });

  it("is inconclusive with too few samples, and a difference outweighs that", () => {
    const samples = samplesOf(30, () => 10);
    expect(judge({ compared: 30, samples }, { compare: {} }).verdict).toBe("inconclusive");
    expect(judge({ compared: 30, differed: 30, samples }, { compare: {} }).verdict).toBe("fail");
  });
});

describe("a measurement of differences", () => {
  it("is made of what the mirror tells", async () => {
    const measure = differenceMeasurement({ read: () => Promise.resolve(reportOf({ compared: 20 })) }, systemClock);
    expect(await measure(difference(), never)).toMatchObject({ probe: "difference", verdict: "pass" });
  });

  it("is an error where there is no mirror: nothing known is no pass", async () => {
    const measure = differenceMeasurement({ read: () => Promise.resolve(undefined) }, systemClock);
    const { verdict, message } = await measure(difference(), never);
    expect({ verdict, message }).toEqual({
      verdict: "error",
      message: "no Pod copies requests to the candidate, so nothing is compared",
    });
  });
});
