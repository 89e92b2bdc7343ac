import type { Measurement, Probe, Verdict } from "@bascule/core";
import { describe, expect, it } from "vitest";
import { createFakeClock } from "./fake-clock.ts";
import type { Prober, ProbeRequest } from "./ports.ts";
import { verify, type VerificationRequest } from "./verification.ts";

const probe: Probe = { kind: "tcp", name: "answers" };
const never = new AbortController().signal;

interface Sample {
  readonly verdict: Verdict;
  readonly answeredBy?: string;
}
const pass: Sample = { verdict: "pass", answeredBy: "new" };
const old: Sample = { verdict: "pass", answeredBy: "old" };
const fail: Sample = { verdict: "fail", answeredBy: "new" };
const noAnswer: Sample = { verdict: "fail" };
const error: Sample = { verdict: "error" };

const request: VerificationRequest = {
  probes: [{ ...probe, count: 3, intervalMs: 100 }],
  target: "service",
  expected: { new: 100 },
  propagationLimitMs: 1_000,
};

interface Course {
  readonly asked: { readonly name: string; readonly atMs: number; readonly sequence: number }[];
  readonly recorded: Measurement[];
  readonly verdict: Verdict;
  readonly message: string;
  readonly tookMs: number;
}

/** Verifies against a target that answers with these samples, the last one for ever. */
async function course(
  samples: readonly Sample[] | ((request: ProbeRequest, atMs: number) => Sample | Promise<Sample>),
  overrides: Partial<VerificationRequest> = {},
  more: { readonly places?: Prober["places"]; readonly signal?: AbortSignal } = {},
): Promise<Course> {
  const clock = createFakeClock();
  const startedAtMs = clock.nowMs();
  const asked: Course["asked"] = [];
  const recorded: Measurement[] = [];
  const prober: Prober = {
    measure: async (wanted) => {
      const atMs = clock.nowMs() - startedAtMs;
      asked.push({ name: wanted.probe.name, atMs, sequence: wanted.sequence });
      const sample =
        typeof samples === "function" ? await samples(wanted, atMs) : (samples[wanted.sequence] ?? samples.at(-1));
      if (!sample) throw new Error("There is no sample.");
      return {
        probe: wanted.probe.name,
        startedAtMs: clock.nowMs(),
        durationMs: 1,
        message: `measured ${sample.verdict}`,
        ...sample,
      };
    },
    ...(more.places ? { places: more.places } : {}),
  };
  const record = (measurement: Measurement) => Promise.resolve(void recorded.push(measurement));
  const result = await clock.passUntilSettled(
    verify({ ...request, ...overrides }, { prober, clock }, record, more.signal ?? never),
  );
  return { asked, recorded, ...result, tookMs: clock.nowMs() - startedAtMs };
}

describe("a verification", () => {
  it("passes when each probe has passed as often as it wants, at its interval", async () => {
    const { verdict, message, asked, recorded } = await course([pass]);
    expect({ verdict, message }).toEqual({ verdict: "pass", message: "answers: 3 of 3 measurements passed" });
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 100, 200]);
    expect(asked.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
    expect(recorded).toHaveLength(3);
  });

  it("fails at the first failure by default, and says what was measured", async () => {
    const { verdict, message, asked } = await course([pass, fail, pass]);
    expect({ verdict, message }).toEqual({
      verdict: "fail",
      message: "answers: measured fail (1 of 2 measurements passed)",
    });
    expect(asked).toHaveLength(2);
  });

  it("bears as many failures as its probe allows, and one more fails", async () => {
    const probes = [{ ...probe, count: 4, intervalMs: 100, failureLimit: 1 }];
    expect(await course([fail, pass], { probes })).toMatchObject({
      verdict: "pass",
      message: "answers: 3 of 4 measurements passed",
    });
    expect(await course([fail, pass, fail], { probes })).toMatchObject({ verdict: "fail" });
  });

  it("is in error after more errors in a row than it bears, and does not count them as measurements", async () => {
    expect(await course([error, error, error, error, pass])).toMatchObject({
      verdict: "pass",
      message: "answers: 3 of 7 measurements passed",
    });
    expect(await course([error])).toMatchObject({
      verdict: "error",
      message: "answers: measured error (0 of 5 measurements passed)",
    });
  });

  it("is inconclusive when a measurement is", async () => {
    expect(await course([pass, { verdict: "inconclusive" }])).toMatchObject({ verdict: "inconclusive" });
  });

  it("may be content with passes in a row", async () => {
    const probes = [{ ...probe, count: 100, intervalMs: 100, failureLimit: 5, consecutiveSuccessLimit: 3 }];
    const { verdict, asked } = await course([pass, fail, pass], { probes });
    expect(verdict).toBe("pass");
    expect(asked).toHaveLength(5);
  });

  it("fails a prober that throws or never answers, as an error", async () => {
    expect(
      await course(() => {
        throw new Error("no route to the cluster");
      }),
    ).toMatchObject({
      verdict: "error",
      message: "answers: not measured: no route to the cluster (0 of 5 measurements passed)",
    });
    const hung = await course(() => new Promise<Sample>(() => undefined));
    expect(hung).toMatchObject({ verdict: "error" });
    expect(hung.message).toContain("no result within 7 s");
  });
});

describe("after a shift", () => {
  it("early answers of the old version are ignored until the shift has reached the clients", async () => {
    const { verdict, recorded, asked } = await course([old, old, { ...old, verdict: "fail" }, pass]);
    expect(verdict).toBe("pass");
    expect(recorded.map(({ answeredBy }) => answeredBy)).toEqual(["new", "new", "new"]);
    expect(asked).toHaveLength(6);
  });

  it("a shift that does not reach the clients within the limit fails, naming who answered", async () => {
    const { verdict, message, tookMs } = await course([old]);
    expect(verdict).toBe("fail");
    expect(message).toBe("answers: old answered instead of new 100 % (0 of 1 measurements passed)");
    expect(tookMs).toBe(1_100);
  });

  it("a late answer is recorded as a failure that names both versions", async () => {
    const { recorded } = await course([old]);
    expect(recorded).toHaveLength(1);
    expect(recorded[0]).toMatchObject({ verdict: "fail", message: "old answered instead of new 100 %" });
  });

  it("going back and forth between the versions fails, however early", async () => {
    const { verdict, recorded } = await course([old, pass, old, pass]);
    expect(verdict).toBe("fail");
    expect(recorded.at(-1)).toMatchObject({ verdict: "fail", message: "old answered instead of new 100 %" });
  });

  it("a failure of the new version, or no answer at all, counts from the first on", async () => {
    expect(await course([old, fail])).toMatchObject({ verdict: "fail" });
    expect(await course([noAnswer, pass])).toMatchObject({ verdict: "fail" });
  });

  it("any version that has traffic may answer, and one whose weight is 0 may not", async () => {
    expect(await course([old, pass, old, pass], { expected: { old: 70, new: 30 } })).toMatchObject({ verdict: "pass" });
    expect(await course([pass, old], { expected: { old: 0, new: 100 } })).toMatchObject({ verdict: "fail" });
  });

  it("answers that do not tell their version count once the old one can no longer be among them, failures at once", async () => {
    const anonymous: Sample = { verdict: "pass" };
    expect(await course([anonymous])).toMatchObject({ verdict: "pass", tookMs: 1_200 });
    expect(await course([anonymous], { propagationLimitMs: 10_000 })).toMatchObject({ verdict: "pass", tookMs: 2_200 });
    expect(await course([noAnswer])).toMatchObject({ verdict: "fail", tookMs: 0 });
  });

  it("where nobody answered before, a new address is given time first, and silence is only early until the limit or the first answer", async () => {
    const first = { nobodyServedBefore: true };
    expect(await course([noAnswer, noAnswer, pass], first)).toMatchObject({ verdict: "pass" });
    expect(await course([noAnswer, pass, noAnswer], first)).toMatchObject({ verdict: "fail", tookMs: 1_200 });
    expect(await course([noAnswer], first)).toMatchObject({ verdict: "fail", tookMs: 2_100 });
  });

  it("stable may be silent while traffic goes back to it, but not past the limit", async () => {
    const back = { target: "stable", expected: { old: 100 } } as const;
    expect(await course([noAnswer, fail, old], back)).toMatchObject({ verdict: "pass" });
    expect(await course([noAnswer], back)).toMatchObject({ verdict: "fail", tookMs: 1_100 });
  });

  it("a candidate without traffic has nothing to wait for: the wrong version is wrong at once", async () => {
    expect(await course([old], { target: "candidate" })).toMatchObject({ verdict: "fail", tookMs: 0 });
  });
});

describe("several probes", () => {
  const slow: Probe = { kind: "tcp", name: "slow", count: 100, intervalMs: 1_000 };
  const quick: Probe = { kind: "tcp", name: "quick", count: 2, intervalMs: 100 };

  it("run side by side and must all pass", async () => {
    const { verdict, message, tookMs } = await course([pass], { probes: [slow, quick] });
    expect({ verdict, tookMs }).toEqual({ verdict: "pass", tookMs: 99_000 });
    expect(message).toBe("slow: 100 of 100 measurements passed; quick: 2 of 2 measurements passed");
  });

  it("all stop at the first failure, and the result names the one that failed", async () => {
    const { verdict, message, tookMs, asked } = await course(
      (wanted) => (wanted.probe.name === "quick" ? fail : pass),
      { probes: [slow, quick] },
    );
    expect({ verdict, tookMs }).toEqual({ verdict: "fail", tookMs: 0 });
    expect(message).toContain("quick: measured fail");
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it("those for another target are left out, and without any left nothing is asked", async () => {
    const probes: Probe[] = [
      { ...quick, targets: ["candidate"] },
      { ...slow, count: 1, targets: ["service"] },
    ];
    expect((await course([pass], { probes })).asked.map(({ name }) => name)).toEqual(["slow"]);
    expect((await course([pass], { probes, target: "stable" })).asked.map(({ name }) => name)).toEqual(["slow"]);
    expect(await course([fail], { probes: [{ ...quick, targets: ["candidate"] }] })).toMatchObject({
      verdict: "pass",
      message: "no probe asks the service",
      asked: [],
    });
  });
});

describe("by default", () => {
  it("the service is measured 20 times, every 100 ms", async () => {
    const { asked, tookMs } = await course([pass], { probes: [probe] });
    expect({ count: asked.length, tookMs }).toEqual({ count: 20, tookMs: 1_900 });
  });

  it("a candidate is measured 3 times for each place it is made of, every 200 ms", async () => {
    const { asked, tookMs } = await course(
      [pass],
      { probes: [probe], target: "candidate" },
      { places: () => Promise.resolve(4) },
    );
    expect({ count: asked.length, tookMs }).toEqual({ count: 12, tookMs: 2_200 });
  });

  it("places that nobody can tell end the verification", async () => {
    await expect(course([pass], {}, { places: () => new Promise(() => undefined) })).rejects.toThrow(
      "where to measure the service was not known within 10 s",
    );
  });
});

describe("a hold", () => {
  it("keeps measuring until its time is over, whatever the count", async () => {
    const { verdict, asked, tookMs } = await course([pass], { holdMs: 1_000 });
    expect({ verdict, tookMs }).toEqual({ verdict: "pass", tookMs: 1_000 });
    expect(asked).toHaveLength(11);
  });

  it("fails at once when something breaks within it", async () => {
    const { verdict, tookMs } = await course((_wanted, atMs) => (atMs >= 700 ? fail : pass), { holdMs: 60_000 });
    expect({ verdict, tookMs }).toEqual({ verdict: "fail", tookMs: 700 });
  });

  it("of no length measures once", async () => {
    expect((await course([pass], { holdMs: 0 })).asked).toHaveLength(1);
  });

  it("is not cut short by passes in a row", async () => {
    const probes = [{ ...probe, intervalMs: 100, consecutiveSuccessLimit: 1 }];
    expect((await course([pass], { probes, holdMs: 1_000 })).tookMs).toBe(1_000);
  });
});

describe("when it is stopped from outside", () => {
  it("it ends at once and proves nothing", async () => {
    const stop = new AbortController();
    const { verdict, asked } = await course(
      (wanted) => {
        if (wanted.sequence === 1) stop.abort();
        return pass;
      },
      {},
      { signal: stop.signal },
    );
    expect(verdict).toBe("inconclusive");
    expect(asked).toHaveLength(2);
  });

  it("a measurement under way is not waited for", async () => {
    const stop = new AbortController();
    const { verdict, tookMs } = await course(
      () => {
        queueMicrotask(() => stop.abort());
        return new Promise<Sample>(() => undefined);
      },
      {},
      { signal: stop.signal },
    );
    expect({ verdict, tookMs }).toEqual({ verdict: "inconclusive", tookMs: 0 });
  });
});
