import type { Measurement, Probe, Verdict } from "@bascule/core";
import { describe, expect, it } from "vitest";
import { createFakeClock } from "./fake-clock.ts";
import type { Prober, ProbeRequest } from "./ports.ts";
import { verify, watchInBackground, type VerificationRequest } from "./verification.ts";

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

  it("what passed before an answer of the old version is counted anew: it had traffic before, or another place answered", async () => {
    const { verdict, recorded, asked } = await course([pass, pass, old, pass]);
    expect(verdict).toBe("pass");
    expect(asked).toHaveLength(6);
    expect(recorded.every(({ answeredBy }) => answeredBy === "new")).toBe(true);
  });

  it("what failed before an answer of the old version stays counted", async () => {
    const probes = [{ ...probe, intervalMs: 100, failureLimit: 1 }];
    expect(await course([fail, old, fail], { probes })).toMatchObject({ verdict: "fail" });
  });

  it("going back and forth between the versions fails once a shift must have reached everywhere", async () => {
    const { verdict, recorded, tookMs } = await course((request) => (request.sequence % 2 === 0 ? old : pass));
    expect(verdict).toBe("fail");
    expect(tookMs).toBeGreaterThan(1_000);
    expect(recorded.at(-1)).toMatchObject({ verdict: "fail", message: "old answered instead of new 100 %" });
  });

  it("where the router's shape changes as well, nobody may be found for a moment, and no longer", async () => {
    const lost: Sample = { verdict: "fail" };
    expect(await course([lost, lost, pass], { isReshaped: true })).toMatchObject({ verdict: "pass" });
    expect(await course([lost], { isReshaped: true })).toMatchObject({ verdict: "fail" });
    expect(await course([lost, pass])).toMatchObject({ verdict: "fail" });
  });

  it("a failure of the new version, or no answer at all, counts from the first on", async () => {
    expect(await course([old, fail])).toMatchObject({ verdict: "fail" });
    expect(await course([noAnswer, pass])).toMatchObject({ verdict: "fail" });
  });

  it("any version that has traffic may answer, also one of weight 0, which gets the requests that match a rule", async () => {
    expect(await course([old, pass, old, pass], { expected: { old: 70, new: 30 } })).toMatchObject({ verdict: "pass" });
    expect(await course([pass, old], { expected: { old: 0, new: 100 } })).toMatchObject({ verdict: "pass" });
    expect(await course([pass, old], { expected: { new: 100 } })).toMatchObject({ verdict: "fail" });
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

describe("a split of the traffic", () => {
  const split = { expected: { old: 80, new: 20 } };
  const every =
    (count: number) =>
    ({ sequence }: ProbeRequest): Sample =>
      sequence % count === count - 1 ? pass : old;

  it("is proved when each version that should answer has done so, however long that takes", async () => {
    expect(await course(every(2), split)).toMatchObject({
      verdict: "pass",
      message: "answers: 3 of 3 measurements passed",
    });
    expect(await course(every(40), split)).toMatchObject({
      verdict: "pass",
      message: "answers: 40 of 40 measurements passed",
    });
  });

  it("fails when a version has not answered in ten times the measurements that its weight asks for", async () => {
    const { verdict, message, asked } = await course([old], split);
    expect({ verdict, message }).toEqual({
      verdict: "fail",
      message: "answers: new should answer 20 % of the requests, and gave the right answer to none of 51",
    });
    expect(asked).toHaveLength(51);
    expect(await course([pass], { expected: { old: 50, new: 50 } })).toMatchObject({
      verdict: "fail",
      message: "answers: old should answer 50 % of the requests, and gave the right answer to none of 21",
    });
  });

  it("still fails at the first failure while a version is waited for", async () => {
    const late = ({ sequence }: ProbeRequest): Sample => (sequence === 30 ? fail : old);
    expect(await course(late, split)).toMatchObject({
      verdict: "fail",
      message: "answers: measured fail (30 of 31 measurements passed)",
    });
  });

  it("cannot be told where a version does not name itself: an answer without a name may be its", async () => {
    const anonymous: Sample = { verdict: "pass" };
    const mixed = ({ sequence }: ProbeRequest): Sample => (sequence % 5 === 4 ? pass : anonymous);
    expect(await course(mixed, split)).toMatchObject({ verdict: "pass" });
    expect(await course([anonymous], split)).toMatchObject({ verdict: "pass" });
  });

  it("is not proved by an answer that could not be judged, or was only borne", async () => {
    const probes = [{ ...probe, count: 3, intervalMs: 100, failureLimit: 20 }];
    const oldAnd =
      (sample: Sample) =>
      ({ sequence }: ProbeRequest) =>
        sequence % 5 === 0 ? sample : old;
    for (const sample of [fail, { verdict: "error", answeredBy: "new" } as const]) {
      expect(await course(oldAnd(sample), { ...split, probes })).toMatchObject({
        verdict: "fail",
        message: "answers: new should answer 20 % of the requests, and gave the right answer to none of 51",
      });
    }
  });

  it("is not asked for again while soaking, nor of a version of weight 0", async () => {
    expect(await course([old], { ...split, holdMs: 10_000 })).toMatchObject({ verdict: "pass", tookMs: 10_000 });
    expect(await course([old], { expected: { old: 100, new: 0 } })).toMatchObject({ verdict: "pass" });
  });

  it("is proved by each probe for itself", async () => {
    const probes: Probe[] = [
      { kind: "tcp", name: "sees both", count: 2 },
      { kind: "tcp", name: "sees one", count: 2 },
    ];
    const { message } = await course(
      ({ probe: { name }, sequence }) => (name === "sees both" && sequence === 1 ? pass : old),
      { ...split, probes },
    );
    expect(message).toBe("sees one: new should answer 20 % of the requests, and gave the right answer to none of 51");
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

describe("probes that are asked for by name", () => {
  const probes: Probe[] = [
    { kind: "tcp", name: "one", count: 1 },
    { kind: "tcp", name: "two", count: 1 },
  ];

  it("are the only ones to measure", async () => {
    expect((await course([pass], { probes, names: ["two"] })).asked.map(({ name }) => name)).toEqual(["two"]);
  });

  it("and are not there end the verification, which would otherwise pass without measuring", async () => {
    expect(await course([pass], { probes, names: ["two", "three"] })).toMatchObject({
      verdict: "error",
      message: 'there is no probe "three" to measure with',
      asked: [],
    });
  });
});

describe("a probe of differences", () => {
  const probes: Probe[] = [
    { kind: "difference", name: "difference", count: 1 },
    { kind: "tcp", name: "answers", count: 1 },
  ];
  const namesAsked = async (overrides: Partial<VerificationRequest>) =>
    (await course([pass], { probes, ...overrides })).asked.map(({ name }) => name);

  it("measures the service while requests are copied, and at no other time", async () => {
    expect(await namesAsked({ mirrored: true })).toEqual(["difference", "answers"]);
    expect(await namesAsked({})).toEqual(["answers"]);
    expect(await namesAsked({ mirrored: true, target: "candidate" })).toEqual(["answers"]);
    expect(await namesAsked({ mirrored: true, target: "stable" })).toEqual(["answers"]);
  });
});

describe("a dry run", () => {
  const trial: Probe = { kind: "tcp", name: "trial", count: 2, intervalMs: 100, dryRun: true };

  it("is measured, recorded and told, and decides nothing", async () => {
    const { verdict, message, recorded } = await course((wanted) => (wanted.probe.name === "trial" ? fail : pass), {
      probes: [trial, { kind: "tcp", name: "answers", count: 2, intervalMs: 100 }],
    });
    expect(verdict).toBe("pass");
    expect(message).toBe(
      "trial: measured fail (0 of 1 measurements passed) (dry run: fail); answers: 2 of 2 measurements passed",
    );
    expect(recorded.filter(({ probe: name }) => name === "trial")).toHaveLength(1);
  });

  it("does not stop the others, nor hide that one of them failed", async () => {
    const { verdict, message } = await course(
      (wanted) => (wanted.probe.name === "trial" || wanted.sequence === 1 ? fail : pass),
      { probes: [trial, { kind: "tcp", name: "answers", count: 2, intervalMs: 100 }] },
    );
    expect({ verdict, message }).toEqual({
      verdict: "fail",
      message: "answers: measured fail (1 of 2 measurements passed)",
    });
  });
});

describe("an initial delay", () => {
  it("passes before the first measurement, and counts as time for the shift to reach clients", async () => {
    const probes = [{ ...probe, count: 2, intervalMs: 100, initialDelayMs: 5_000 }];
    expect((await course([pass], { probes })).asked.map(({ atMs }) => atMs)).toEqual([5_000, 5_100]);
    expect(await course([old], { probes })).toMatchObject({ verdict: "fail", tookMs: 5_000 });
  });

  it("during which everything is stopped measures nothing", async () => {
    const probes = [{ ...probe, initialDelayMs: 5_000 }];
    const { verdict, asked } = await course([pass], { probes }, { signal: AbortSignal.abort() });
    expect({ verdict, asked }).toEqual({ verdict: "inconclusive", asked: [] });
  });
});

describe("inconclusive measurements", () => {
  const unclear: Sample = { verdict: "inconclusive", answeredBy: "new" };

  it("are borne as often as the probe says, and one more is too many", async () => {
    const probes = [{ ...probe, count: 3, intervalMs: 100, inconclusiveLimit: 1 }];
    expect(await course([unclear, pass], { probes })).toMatchObject({
      verdict: "pass",
      message: "answers: 2 of 3 measurements passed",
    });
    expect(await course([unclear, pass, unclear], { probes })).toMatchObject({ verdict: "inconclusive" });
  });

  it("are counted over the whole of a soak", async () => {
    const probes = [{ ...probe, intervalMs: 100, inconclusiveLimit: 2 }];
    const seldom = ({ sequence }: ProbeRequest): Sample => (sequence % 10 === 9 ? unclear : pass);
    expect(await course(seldom, { probes, holdMs: 10_000 })).toMatchObject({ verdict: "inconclusive", tookMs: 2_900 });
  });
});

describe("a watch in the background", () => {
  const watching = async (
    samples: (request: ProbeRequest, atMs: number) => Sample,
    stopAfterMs: number,
    overrides: Partial<VerificationRequest> = {},
  ) => {
    const clock = createFakeClock();
    const startedAtMs = clock.nowMs();
    const stop = new AbortController();
    const prober: Prober = {
      measure: async (wanted) => ({
        probe: wanted.probe.name,
        startedAtMs: clock.nowMs(),
        durationMs: 1,
        message: "measured 500",
        ...samples(wanted, clock.nowMs() - startedAtMs),
      }),
    };
    void clock.sleep(stopAfterMs, stop.signal).then(() => stop.abort());
    const record = () => Promise.resolve();
    const watched = watchInBackground({ ...request, ...overrides }, { prober, clock }, record, stop.signal);
    const message = await clock.passUntilSettled(watched);
    stop.abort();
    return { message, tookMs: clock.nowMs() - startedAtMs };
  };

  it("goes on until it is stopped, whatever the count, and then has nothing to say", async () => {
    expect(await watching(() => pass, 60_000)).toEqual({ message: undefined, tookMs: 60_000 });
  });

  it("tells what was wrong as soon as a probe has failed more often than it may", async () => {
    const probes = [{ ...probe, intervalMs: 100, failureLimit: 2 }];
    const { message, tookMs } = await watching((_wanted, atMs) => (atMs >= 5_000 ? fail : pass), 60_000, { probes });
    expect(message).toBe("answers: measured 500 (50 of 53 measurements passed)");
    expect(tookMs).toBe(5_200);
  });

  it("does not end for a dry run", async () => {
    const probes = [
      { ...probe, name: "trial", intervalMs: 100, dryRun: true },
      { ...probe, intervalMs: 100 },
    ];
    const { message } = await watching((wanted) => (wanted.probe.name === "trial" ? fail : pass), 1_000, { probes });
    expect(message).toBeUndefined();
  });

  it("tells that it cannot measure at all", async () => {
    const { message } = await watching(() => pass, 60_000, { names: ["other"] });
    expect(message).toBe('there is no probe "other" to measure with');
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
