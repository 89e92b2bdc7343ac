import { difference, lag, type Measurement, type Probe, type Verdict } from "@bascule/core";
import { describe, expect, it } from "vitest";
import { createFakeClock } from "./fake-clock.ts";
import { verify, type VerificationRequest } from "./verification.ts";

const compared = difference();
const behind = lag({ hook: "data-lag", maximumMs: 100 });

/** Verifies with these probes, whose measurements are told by the time since the beginning. */
async function course(
  probes: readonly Probe[],
  verdictAt: (probe: Probe, atMs: number) => Verdict,
  overrides: Partial<VerificationRequest> = {},
) {
  const clock = createFakeClock();
  const startedAtMs = clock.nowMs();
  const recorded: Measurement[] = [];
  const request: VerificationRequest = {
    probes,
    target: "service",
    expected: { old: 100 },
    propagationLimitMs: 10_000,
    mirrored: true,
    inStep: true,
    ...overrides,
  };
  const prober = {
    measure: ({ probe }: { readonly probe: Probe }) => {
      const verdict = verdictAt(probe, clock.nowMs() - startedAtMs);
      const message = `measured ${verdict}`;
      return Promise.resolve({ probe: probe.name, verdict, message, startedAtMs: clock.nowMs(), durationMs: 1 });
    },
  };
  const record = (measurement: Measurement) => Promise.resolve(void recorded.push(measurement));
  const never = new AbortController().signal;
  const result = await clock.passUntilSettled(verify(request, { prober, clock }, record, never));
  return { ...result, recorded, tookMs: clock.nowMs() - startedAtMs };
}

describe("a probe of differences", () => {
  it("is asked only while requests are copied, and of the service only", async () => {
    for (const overrides of [{ mirrored: false }, { target: "candidate" as const }, { target: "stable" as const }]) {
      const { verdict, recorded } = await course([compared], () => "fail", overrides);
      expect({ verdict, recorded }).toEqual({ verdict: "pass", recorded: [] });
    }
  });

  it("needs one measurement, because each of them is the sum of all", async () => {
    const { verdict, tookMs } = await course([compared], () => "pass");
    expect({ verdict, tookMs }).toEqual({ verdict: "pass", tookMs: 0 });
  });

  it("bears that too little was compared while time passes on purpose, and records it", async () => {
    const { verdict, recorded } = await course([compared], (_probe, atMs) => (atMs < 4_000 ? "inconclusive" : "pass"), {
      holdMs: 6_000,
    });
    expect(verdict).toBe("pass");
    expect(recorded.filter((each) => each.verdict === "inconclusive")).toHaveLength(4);
  });

  it("fails what stays that long, when too little was compared to its end", async () => {
    const { verdict, tookMs } = await course([compared], () => "inconclusive", { holdMs: 6_000 });
    expect({ verdict, tookMs }).toEqual({ verdict: "inconclusive", tookMs: 6_000 });
  });

  it("fails at once when answers differ, however long there would be time", async () => {
    const { verdict, tookMs } = await course([compared], (_probe, atMs) => (atMs < 2_000 ? "inconclusive" : "fail"), {
      holdMs: 60_000,
    });
    expect({ verdict, tookMs }).toEqual({ verdict: "fail", tookMs: 2_000 });
  });

  it("fails a verification that does not stay, when too little was compared", async () => {
    expect((await course([compared], () => "inconclusive")).verdict).toBe("inconclusive");
  });
});

describe("a probe of the lag", () => {
  it("is asked only while data is kept in step, and of the service only", async () => {
    for (const overrides of [{ inStep: false }, { target: "candidate" as const }, { target: "stable" as const }]) {
      const { verdict, recorded } = await course([behind], () => "fail", overrides);
      expect({ verdict, recorded }).toEqual({ verdict: "pass", recorded: [] });
    }
  });

  it("lets data catch up while time passes on purpose, and records how far behind it is", async () => {
    const { verdict, recorded, tookMs } = await course([behind], (_probe, atMs) => (atMs < 40_000 ? "fail" : "pass"), {
      holdMs: 60_000,
    });
    expect({ verdict, tookMs }).toEqual({ verdict: "pass", tookMs: 60_000 });
    expect(recorded.filter((each) => each.verdict === "fail")).toHaveLength(40);
  });

  it("wants one measurement within the maximum where it is verified, and waits a while for it", async () => {
    const { verdict, tookMs } = await course([behind], (_probe, atMs) => (atMs < 7_000 ? "fail" : "pass"));
    expect({ verdict, tookMs }).toEqual({ verdict: "pass", tookMs: 7_000 });
  });

  it("fails when data is still behind after that", async () => {
    const { verdict, tookMs, message } = await course([behind], () => "fail");
    expect({ verdict, tookMs }).toEqual({ verdict: "fail", tookMs: 19_000 });
    expect(message).toBe("lag: measured fail (0 of 20 measurements passed)");
  });
});
