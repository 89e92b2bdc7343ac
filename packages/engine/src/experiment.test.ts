import { http, tcp, type Measurement, type Probe, type Verdict } from "@bascule/core";
import { describe, expect, it } from "vitest";
import { runExperiment, type ExperimentRequest } from "./experiment.ts";
import { createFakeClock } from "./fake-clock.ts";
import type { Prober, ProbeRequest } from "./ports.ts";

interface Sample {
  readonly verdict?: Verdict;
  readonly durationMs?: number;
  readonly answeredBy?: string;
}

interface Course {
  readonly asked: {
    readonly name: string;
    readonly target: string;
    readonly expected: string;
    readonly sequence: number;
    readonly atMs: number;
  }[];
  readonly recorded: Measurement[];
  readonly verdict: Verdict;
  readonly message: string;
  readonly tookMs: number;
}

const home = http("/", { name: "home", intervalMs: 100 });

/** Runs an experiment in which each side answers like this. */
async function course(
  answer: (request: ProbeRequest, atMs: number) => Sample,
  overrides: Partial<ExperimentRequest> = {},
  signal = new AbortController().signal,
): Promise<Course> {
  const clock = createFakeClock();
  const startedAtMs = clock.nowMs();
  const asked: Course["asked"] = [];
  const recorded: Measurement[] = [];
  const prober: Prober = {
    measure: async (request) => {
      const { probe, target, expected, sequence } = request;
      const atMs = clock.nowMs() - startedAtMs;
      asked.push({ name: probe.name, target, expected: Object.keys(expected).join(), sequence, atMs });
      const { verdict = "pass", ...sample } = answer(request, atMs);
      return {
        probe: probe.name,
        verdict,
        startedAtMs: clock.nowMs(),
        durationMs: 10,
        message: `measured ${verdict}`,
        ...sample,
      };
    },
  };
  const request: ExperimentRequest = {
    probes: [home],
    names: undefined,
    sides: { candidate: "new", stable: "old" },
    durationMs: 10_000,
    ...overrides,
  };
  const record = (measurement: Measurement) => Promise.resolve(void recorded.push(measurement));
  const result = await clock.passUntilSettled(runExperiment(request, { prober, clock }, record, signal));
  return { asked, recorded, ...result, tookMs: clock.nowMs() - startedAtMs };
}

/** Latencies that go up and down around a mean, the same way for both sides. */
const around = (meanMs: number, sequence: number) => meanMs + ((sequence * 7) % 11) - 5;
const isCandidate = ({ target }: ProbeRequest) => target === "candidate";

describe("an experiment", () => {
  it("measures both versions themselves, in turn, for so long, and passes when they do not differ", async () => {
    const { verdict, message, asked, recorded, tookMs } = await course(({ sequence }) => ({
      durationMs: around(50, sequence),
    }));
    expect(verdict).toBe("pass");
    expect(message).toMatch(
      /^home: the candidate failed 0 of 100 measurements, the stable version 0 of 100; latency: .+/,
    );
    expect(tookMs).toBe(10_000);
    expect(asked.slice(0, 4)).toEqual([
      { name: "home", target: "candidate", expected: "new", sequence: 0, atMs: 0 },
      { name: "home", target: "baseline", expected: "old", sequence: 0, atMs: 0 },
      { name: "home", target: "candidate", expected: "new", sequence: 1, atMs: 100 },
      { name: "home", target: "baseline", expected: "old", sequence: 1, atMs: 100 },
    ]);
    expect(recorded).toHaveLength(200);
  });

  it("fails a candidate that is slower by the statistics, and tells by how much", async () => {
    const { verdict, message } = await course((request) => ({
      durationMs: around(isCandidate(request) ? 80 : 50, request.sequence),
    }));
    expect(verdict).toBe("fail");
    expect(message).toMatch(/^home: the candidate failed 0 of 100 .+ latency: .*higher/i);
  });

  it("passes a candidate that is quicker", async () => {
    const { verdict } = await course((request) => ({
      durationMs: around(isCandidate(request) ? 20 : 50, request.sequence),
    }));
    expect(verdict).toBe("pass");
  });

  it("bears a difference as large as the probe allows", async () => {
    const compare = { effectSize: { allowedIncrease: 2 } };
    const { verdict } = await course(
      (request) => ({ durationMs: around(isCandidate(request) ? 80 : 50, request.sequence) }),
      { probes: [{ ...home, compare }] },
    );
    expect(verdict).toBe("pass");
  });

  it("proves nothing with too few samples, and says how many are wanted", async () => {
    const { verdict, message } = await course(({ sequence }) => ({ durationMs: around(50, sequence) }), {
      durationMs: 1_000,
    });
    expect(verdict).toBe("inconclusive");
    expect(message).toContain("Too few values to compare");
    expect(message).toContain("50 of each are wanted");
  });

  it("of no length proves nothing", async () => {
    expect(await course(() => ({}), { durationMs: 0 })).toMatchObject({ verdict: "inconclusive", asked: [] });
  });

  it("that is stopped from outside ends at once and proves nothing", async () => {
    const stop = new AbortController();
    const { verdict, message, asked } = await course(
      ({ sequence }) => {
        if (sequence === 3) stop.abort();
        return {};
      },
      {},
      stop.signal,
    );
    expect({ verdict, message }).toEqual({ verdict: "inconclusive", message: "the experiment was stopped" });
    expect(asked).toHaveLength(7);
  });

  it("waits for the probe's initial delay, and then measures for its whole time", async () => {
    const { asked, tookMs } = await course(() => ({}), { probes: [{ ...home, initialDelayMs: 3_000 }] });
    expect({ first: asked[0]?.atMs, count: asked.length, tookMs }).toEqual({
      first: 3_000,
      count: 200,
      tookMs: 13_000,
    });
  });
});

describe("what fails in an experiment", () => {
  const failing =
    (candidateFails: number, stableFails: number) =>
    (request: ProbeRequest): Sample => ({
      verdict: request.sequence < (isCandidate(request) ? candidateFails : stableFails) ? "fail" : "pass",
      durationMs: around(50, request.sequence),
    });

  it("is compared: a candidate may fail as often as the stable version, and not more often", async () => {
    expect((await course(failing(5, 5))).verdict).toBe("pass");
    expect((await course(failing(2, 5))).verdict).toBe("pass");
    expect(await course(failing(6, 5))).toMatchObject({
      verdict: "fail",
      message: "home: the candidate failed 6 of 100 measurements, the stable version 5 of 100",
    });
  });

  it("may be as much more as the probe bears", async () => {
    const probes = [{ ...home, failureLimit: 2 }];
    expect((await course(failing(7, 5), { probes })).verdict).toBe("pass");
    expect((await course(failing(8, 5), { probes })).verdict).toBe("fail");
  });

  it("is also an answer of another version than the one that was asked", async () => {
    const { verdict, recorded } = await course((request) => ({
      answeredBy: isCandidate(request) && request.sequence === 7 ? "old" : isCandidate(request) ? "new" : "old",
    }));
    expect(verdict).toBe("fail");
    expect(recorded.find(({ verdict: each }) => each === "fail")?.message).toBe("old answered instead of new 100 %");
  });

  it("is not what could not be measured, unless that happens too often in a row", async () => {
    const errors = (count: number) => (request: ProbeRequest) =>
      ({
        verdict: isCandidate(request) && request.sequence < count ? "error" : "pass",
        durationMs: around(50, request.sequence),
      }) as const;
    expect(await course(errors(4))).toMatchObject({
      verdict: "pass",
      message: expect.stringContaining("failed 0 of 96 measurements") as string,
    });
    expect(await course(errors(5))).toMatchObject({ verdict: "error", message: "home: measured error" });
    expect((await course(errors(1), { probes: [{ ...home, consecutiveErrorLimit: 0 }] })).verdict).toBe("error");
  });
});

describe("the probes of an experiment", () => {
  const port = tcp({ name: "port", intervalMs: 100 });

  it("are all that ask a candidate, side by side, each with its own samples", async () => {
    const outside: Probe = { ...port, name: "outside", targets: ["service"] };
    const { asked, message } = await course(({ sequence }) => ({ durationMs: around(50, sequence) }), {
      probes: [home, port, outside],
    });
    expect(new Set(asked.map(({ name }) => name))).toEqual(new Set(["home", "port"]));
    expect(message).toMatch(/^home: .+; port: .+/);
  });

  it("are those that it names", async () => {
    const { asked } = await course(() => ({}), { probes: [home, port], names: ["port"] });
    expect(new Set(asked.map(({ name }) => name))).toEqual(new Set(["port"]));
  });

  it("have to be there", async () => {
    expect(await course(() => ({}), { names: ["hmoe"] })).toMatchObject({
      verdict: "error",
      message: 'there is no probe "hmoe" to measure with',
      asked: [],
    });
    expect(await course(() => ({}), { probes: [{ ...home, targets: ["service"] }] })).toMatchObject({
      verdict: "inconclusive",
      message: "no probe can compare the versions",
      asked: [],
    });
  });

  it("all have to pass, and the one that did not is named", async () => {
    const { verdict, message } = await course(
      (request) => ({ verdict: isCandidate(request) && request.probe.name === "port" ? "fail" : "pass" }),
      { probes: [home, port] },
    );
    expect(verdict).toBe("fail");
    expect(message).toBe("port: the candidate failed 100 of 100 measurements, the stable version 0 of 100");
  });

  it("that are dry runs are measured and told, and decide nothing", async () => {
    const { verdict, message } = await course(
      (request) => ({
        verdict: isCandidate(request) && request.probe.name === "port" ? "fail" : "pass",
        durationMs: around(50, request.sequence),
      }),
      { probes: [home, { ...port, dryRun: true }] },
    );
    expect(verdict).toBe("pass");
    expect(message).toMatch(/; port: the candidate failed 100 of 100 measurements, .+ \(dry run: fail\)$/);
  });
});
