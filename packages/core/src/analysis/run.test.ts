import { describe, expect, it } from "vitest";
import type { Verdict } from "./measurement.ts";
import {
  assessRun,
  decidingProbe,
  describeRun,
  isRunLost,
  summarizeDryRuns,
  worstVerdict,
  type ProbeOutcome,
} from "./run.ts";

const letters: Readonly<Record<string, Verdict>> = { p: "pass", f: "fail", i: "inconclusive", e: "error" };

/** One letter a probe: its verdict, or `-` for none yet; a capital letter, or `_`, for a dry run. */
function probes(text: string): ProbeOutcome[] {
  return [...text].map((letter, index) => ({
    probe: `probe ${index + 1}`,
    verdict: letters[letter.toLowerCase()],
    isDryRun: letter === "_" || letter !== letter.toLowerCase(),
  }));
}

describe("the verdict of several probes (pass, fail, inconclusive, error, - none yet; capitals and _ for dry runs)", () => {
  it.each<[string, Verdict | undefined, boolean]>([
    ["", "pass", false],
    ["p", "pass", false],
    ["-", undefined, false],
    ["pp-", undefined, false],
    ["ppp", "pass", false],
    ["pfp", "fail", true],
    ["pf-", "fail", true],
    ["--i", "inconclusive", true],
    ["ie", "error", true],
    ["ef", "fail", true],
    ["ife", "fail", true],
    ["F", "pass", false],
    ["pFIE", "pass", false],
    ["p_", undefined, false],
    ["-F", undefined, false],
    ["f_", "fail", true],
    ["Fi", "inconclusive", true],
  ])("%s: %s, lost: %s", (text, verdict, isLost) => {
    expect(assessRun(probes(text))).toBe(verdict);
    expect(isRunLost(probes(text))).toBe(isLost);
  });

  it.each([
    ["pfif", "probe 2"],
    ["ifef", "probe 2"],
    ["Ffp", "probe 2"],
    ["pei", "probe 2"],
    ["ppF", undefined],
    ["p-", undefined],
  ])("%s is decided by %s", (text, name) => {
    expect(decidingProbe(probes(text))?.probe).toBe(name);
  });

  it.each<[Verdict[], Verdict | undefined]>([
    [[], undefined],
    [["pass", "inconclusive"], "inconclusive"],
    [["error", "inconclusive", "pass"], "error"],
    [["fail", "error"], "fail"],
  ])("the worst of %j is %s", (verdicts, expected) => {
    expect(worstVerdict(verdicts)).toBe(expected);
  });
});

describe("the report of several probes", () => {
  const page = { probe: "http /", verdict: "pass", isDryRun: false, message: "20 of 20 passed" } as const;
  const health = { probe: "http /health", verdict: "fail", isDryRun: false, message: "expected status 200" } as const;

  it("names all that passed", () => {
    expect(describeRun([page, { ...page, probe: "tcp" }])).toBe(
      "http /: pass: 20 of 20 passed; tcp: pass: 20 of 20 passed",
    );
  });

  it("names the probe that decided, and no other", () => {
    expect(describeRun([page, { ...page, verdict: undefined }, health])).toBe(
      "http /health: fail: expected status 200",
    );
  });

  it("names the dry runs that were bad, and that nothing else counted", () => {
    expect(describeRun([{ ...health, isDryRun: true }])).toBe(
      "no probe counts; dry run of http /health: fail: expected status 200",
    );
  });

  it("counts the dry runs", () => {
    expect(summarizeDryRuns(probes("pfPPFIE_"))).toEqual({ probes: 6, pass: 2, fail: 1, inconclusive: 1, error: 1 });
  });
});
