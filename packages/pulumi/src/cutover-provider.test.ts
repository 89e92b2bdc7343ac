import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  pause,
  planOf,
  route,
  runHook,
  setWeight,
  soak,
  tcp,
  type Marker,
  type Plan,
  type PlanOptions,
  type RouterMemory,
  type Weights,
} from "@bascule/core";
import { openJournal, systemClock, type Router } from "@bascule/engine";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { cutoverInputsSchema, protocol } from "./cutover-inputs.ts";
import { defineCutoverProvider, type CutoverPlatform } from "./cutover-provider.ts";

const canary = "canary-5d1e";
const inputsSchema = cutoverInputsSchema.extend({
  router: z.strictObject({ port: z.number() }),
  sizes: z.strictObject({ replicas: z.number() }).optional(),
  hooks: z.record(z.string(), z.string()).optional(),
});
type Inputs = z.infer<typeof inputsSchema>;

/** A router in memory, whose restore and verification can be told to fail. */
class World {
  weights: Weights | null = { "web-old": 100 };
  marker: Marker | null = null;
  memory: RouterMemory = { history: ["web-old"] };
  port = 80;
  candidateIsGood = true;
  restoreFails = false;
  claimFails = false;
  shifts: Weights[] = [];
  hooksRun: string[] = [];
}

let world: World;
let directory: string;
let printed: string[];

const routerOf = (seen: World): Router => ({
  observe: () =>
    Promise.resolve({
      exists: seen.weights !== null,
      weights: seen.weights ?? {},
      marker: seen.marker,
      memory: seen.memory,
      shape: "{}",
    }),
  claim: (marker) => {
    if (seen.claimFails) return Promise.reject(new Error("the router is busy"));
    seen.marker = marker;
    seen.weights ??= {};
    return Promise.resolve();
  },
  shift: ({ weights }, marker) => {
    seen.weights = weights;
    seen.marker = marker;
    seen.shifts.push(weights);
    return Promise.resolve();
  },
  restore: (origin) => {
    if (seen.restoreFails) return Promise.reject(new Error("the router is gone"));
    seen.weights = origin?.weights ?? null;
    if (origin?.leavesRest) seen.memory = { history: seen.memory.history };
    return Promise.resolve();
  },
  renew: () => Promise.resolve({ abortRequested: false }),
  release: (_marker, memory) => {
    seen.marker = null;
    if (memory) seen.memory = memory;
    return Promise.resolve();
  },
});

const platform: CutoverPlatform<Inputs> = {
  inputs: inputsSchema,
  open: async (inputs) => ({
    router: routerOf(world),
    prober: {
      measure: ({ probe, target, expected, sequence }) => {
        const isBad = target === "service" && !world.candidateIsGood;
        const versions = Object.keys(expected);
        const measurement = {
          probe: probe.name,
          startedAtMs: 0,
          durationMs: 1,
          answeredBy: versions[sequence % versions.length] ?? "",
        };
        return Promise.resolve({
          ...measurement,
          verdict: isBad ? "fail" : "pass",
          message: isBad ? "measured 500" : "200",
        });
      },
    },
    workload: { disconnect: () => Promise.resolve(), scale: () => Promise.resolve() },
    hooks: { run: (name) => Promise.resolve(void world.hooksRun.push(name)) },
    journal: await openJournal(inputs.journalDirectory, inputs.change.id, systemClock),
    readRouter: () => Promise.resolve({ port: world.port }),
    describe: () => Promise.resolve({ address: "10.96.0.7:80" }),
    remove: () => {
      world.weights = null;
      return Promise.resolve();
    },
  }),
};

const provider = defineCutoverProvider(platform);

const inputs = (change: Partial<Inputs> = {}) => ({
  __provider: "text of the provider",
  protocol,
  release: "web",
  candidate: "web-new",
  plan: planOf("blueGreen", { holdMs: 0 }),
  probes: [{ ...tcp({ count: 1, intervalMs: 10 }) }],
  change: { id: "web-1" },
  journalDirectory: directory,
  router: { port: 80 },
  ...change,
});

const outputs = (change: object = {}) => ({
  ...inputs({ candidate: "web-old" }),
  weights: { "web-old": 100 },
  memory: { history: ["web-old"] },
  ...change,
});

/** A plan that pauses twice. */
const paused = (approved: readonly string[] = [], change: PlanOptions = {}): Plan =>
  planOf("progressive", {
    steps: [setWeight(20), pause("look"), setWeight(50), pause("look again")],
    approved,
    holdMs: 0,
    ...change,
  });
const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? { ...value } : {};
const released = async (olds: unknown, news: unknown) => {
  const result = await provider.update("web", olds, news);
  return { ...recordOf(result.outs), __provider: "text of the provider" };
};
const refreshed = async (stored: unknown) => recordOf((await provider.read("web", stored)).props);
/** The outputs of an update that ended at the first pause. */
const resting = (change: Partial<Inputs> = {}) =>
  released(outputs(), inputs({ stable: "web-old", plan: paused(), ...change }));

const thrownBy = async (attempt: Promise<unknown>): Promise<Record<string, unknown>> => {
  const thrown = await attempt.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof Error)) throw new TypeError("What was thrown is no error.");
  return { ...thrown, message: thrown.message };
};

beforeEach(() => {
  world = new World();
  directory = mkdtempSync(join(tmpdir(), "bascule-provider-"));
  printed = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("an update", () => {
  it("that commits gives the weights, the journal and where the service is", async () => {
    expect(await provider.update("web", outputs(), inputs())).toMatchObject({
      outs: { weights: { "web-new": 100 }, details: { address: "10.96.0.7:80" } },
    });
    expect(world).toMatchObject({ weights: { "web-new": 100 }, marker: null });
  });

  it("that is rolled back throws plainly, so that the old state stays", async () => {
    world.candidateIsGood = false;
    const error = await thrownBy(provider.update("web", outputs(), inputs()));
    expect(error).toMatchObject({ code: "rolled-back" });
    expect(error["message"]).toMatch(
      /web-new was not accepted\. .*measured 500.* all is as it was: web-old 100 %, verified/,
    );
    expect(error["id"]).toBeUndefined();
    expect(world.weights).toEqual({ "web-old": 100 });
  });

  it("whose rollback failed reports what was observed, and carries the provider's text along", async () => {
    world.candidateIsGood = false;
    world.restoreFails = true;
    const error = await thrownBy(provider.update("web", outputs(), inputs()));
    expect(error).toMatchObject({
      code: "rollback-failed",
      id: "web",
      properties: {
        weights: { "web-new": 100 },
        candidate: "web-old",
        unsettled: world.marker?.transaction,
        __provider: "text of the provider",
      },
    });
    expect(error["reasons"]).toEqual([error["message"]]);
  });

  it("that finds another run at work throws plainly and names it", async () => {
    const owner = { host: "elsewhere", processId: 7, processStart: "boot/7" };
    world.marker = {
      transaction: "t-7",
      candidate: "web-x",
      origin: null,
      step: 0,
      fencing: 1,
      owner,
      leaseUntilMs: Date.now() + 60_000,
    };
    const error = await thrownBy(provider.update("web", outputs(), inputs()));
    expect(error).toMatchObject({ code: "concurrent-run" });
    expect(error["message"]).toMatch(/transaction t-7 of process 7 on elsewhere/);
    expect(error["id"]).toBeUndefined();
  });

  it("outside its window moves nothing", async () => {
    const window = { start: "2020-01-01T00:00", end: "2020-01-02T00:00", timeZone: "Europe/Paris" };
    const error = await thrownBy(provider.update("web", outputs(), inputs({ plan: planOf("blueGreen", { window }) })));
    expect(error).toMatchObject({ code: "window-closed" });
    expect(world.weights).toEqual({ "web-old": 100 });
  });

  it("whose plan pauses with a version in service that is not declared moves nothing", async () => {
    const error = await thrownBy(provider.update("web", outputs(), inputs({ plan: paused() })));
    expect(error).toMatchObject({ code: "invalid-input" });
    expect(error["message"]).toMatch(
      /^web: nothing was moved\. The plan pauses at "look", and web-old 100 % is in service/,
    );
    expect(world).toMatchObject({ weights: { "web-old": 100 }, marker: null });
  });

  it("whose plan names a probe or a hook that is not declared moves nothing", async () => {
    const plan = planOf("parallel", { steps: [runHook("sync", { limitMs: 1_000 })] });
    const error = await thrownBy(provider.update("web", outputs(), inputs({ plan })));
    expect(error).toMatchObject({ code: "invalid-input" });
    expect(error["message"]).toBe(
      'web: the plan cannot be followed: step 2 names the hook "sync", which is not declared: none is. Nothing was moved.',
    );
    expect(world).toMatchObject({ weights: { "web-old": 100 }, marker: null });
  });

  it("never tells a secret header, in its journal, its errors or what it prints", async () => {
    world.candidateIsGood = false;
    const probe = { kind: "http", name: "http /", path: "/", expect: {}, headers: { authorization: canary } } as const;
    const error = await thrownBy(provider.update("web", outputs(), inputs({ probes: [probe] })));
    const journal = readFileSync(join(directory, "web-1.jsonl"), "utf8");
    expect(journal).toContain("rolledBack");
    expect(`${journal}${JSON.stringify(error)}${printed.join("")}`).not.toContain(canary);
  });
});

describe("at a pause", () => {
  it("the state names both versions, who has how much, and the pause", async () => {
    expect(await resting()).toMatchObject({
      candidate: "web-new",
      stable: "web-old",
      weights: { "web-new": 20, "web-old": 80 },
      resting: "look",
      memory: { history: ["web-old"], rest: { candidate: "web-new", pause: "look", origin: { "web-old": 100 } } },
    });
    expect(world).toMatchObject({ weights: { "web-new": 20, "web-old": 80 }, marker: null });
  });

  it("the same program does nothing, and says nothing", async () => {
    const stored = await resting();
    printed = [];
    const news = inputs({ stable: "web-old", plan: paused() });
    expect((await provider.diff("web", stored, news)).changes).toBe(false);
    expect(printed).toEqual([]);
  });

  it("approving it goes on to the next one, and the preview says from where to where", async () => {
    const stored = await resting();
    world.shifts = [];
    const news = inputs({ stable: "web-old", plan: paused(["look"]) });
    expect((await provider.diff("web", stored, news)).changes).toBe(true);
    expect(printed.at(-1)).toContain('goes on from the pause "look", where the last update ended');
    expect(printed.at(-1)).toContain("2. move 20 % of traffic to the candidate (done before)");
    expect(printed.at(-1)).toContain("move 100 % of traffic to the candidate (in a later update)");
    expect(printed.at(-1)).toContain("on any failure traffic goes back to web-old 100 %");
    expect(await released(stored, news)).toMatchObject({
      weights: { "web-new": 50, "web-old": 50 },
      resting: "look again",
    });
    expect(world.shifts).toEqual([
      { "web-new": 20, "web-old": 80 },
      { "web-new": 50, "web-old": 50 },
    ]);
  });

  it("approving all of them promotes the candidate, and nothing rests any more", async () => {
    const stored = await resting();
    const news = inputs({ stable: "web-old", plan: paused(["look", "look again"]) });
    const promoted = await released(stored, news);
    expect(promoted).toMatchObject({ weights: { "web-new": 100 }, memory: { history: ["web-new", "web-old"] } });
    expect(promoted).not.toHaveProperty("resting");
    const alone = inputs({ plan: paused(["look", "look again"]) });
    expect((await provider.diff("web", promoted, alone)).changes).toBe(false);
  });

  it.each([
    ["naming it alone", { candidate: "web-old" }],
    ["naming it as both", { candidate: "web-old", stable: "web-old" }],
  ])("the version in service gets everything back by %s, and the preview says so", async (_how, change) => {
    const stored = await resting();
    world.shifts = [];
    const news = inputs({ plan: paused(), ...change });
    expect((await provider.diff("web", stored, news)).changes).toBe(true);
    expect(printed.at(-1)).toContain(
      'the pause "look" is given up first, of web-new: traffic goes back to web-old 100 %; then web-old has all traffic already',
    );
    const back = await released(stored, news);
    expect(back).toMatchObject({ candidate: "web-old", weights: { "web-old": 100 }, memory: { history: ["web-old"] } });
    expect(back).not.toHaveProperty("resting");
    expect(world).toMatchObject({ weights: { "web-old": 100 }, memory: { history: ["web-old"] }, marker: null });
    expect(world.shifts).toEqual([{ "web-old": 100 }]);
    expect((await provider.diff("web", back, news)).changes).toBe(false);
  });

  it("another version takes the candidate's place, which gets nothing any more", async () => {
    const stored = await resting();
    world.shifts = [];
    const news = inputs({ candidate: "web-newer", stable: "web-old", plan: paused() });
    expect(await released(stored, news)).toMatchObject({
      weights: { "web-newer": 20, "web-old": 80 },
      resting: "look",
    });
    expect(world.shifts).toEqual([{ "web-newer": 20, "web-old": 80 }]);
  });

  it.each<[string, Partial<Inputs>]>([
    ["another shape of the router", { router: { port: 81 } }],
    ["other sizes", { sizes: { replicas: 5 } }],
  ])("%s is an update that ends there again, with what is declared now", async (_what, change) => {
    const stored = await resting();
    world.shifts = [];
    const news = inputs({ stable: "web-old", plan: paused(), ...change });
    expect((await provider.diff("web", stored, news)).changes).toBe(true);
    expect(printed.at(-1)).toContain('stays at the pause "look", where the last update ended');
    expect(await released(stored, news)).toMatchObject({ weights: { "web-new": 20, "web-old": 80 }, resting: "look" });
    expect(world.shifts).toEqual([{ "web-new": 20, "web-old": 80 }]);
  });

  it("steps before it that were changed begin the plan again", async () => {
    const stored = await resting();
    const steps = [setWeight(20), route([{ header: "x-beta", exact: "yes" }]), pause("look")];
    const news = inputs({ stable: "web-old", plan: planOf("progressive", { steps }) });
    expect((await provider.diff("web", stored, news)).changes).toBe(true);
    expect(printed.at(-1)).toContain('the pause "look" is given up first, because its steps were changed');
  });

  it("weights that somebody changed are seen by a refresh, and put back by the next update", async () => {
    const stored = await resting();
    world.weights = { "web-new": 90, "web-old": 10 };
    const props = await refreshed(stored);
    expect(props).toMatchObject({ weights: { "web-new": 90, "web-old": 10 }, resting: "look" });
    const news = inputs({ stable: "web-old", plan: paused() });
    expect((await provider.diff("web", props, news)).changes).toBe(true);
    expect(await released(props, news)).toMatchObject({ weights: { "web-new": 20, "web-old": 80 } });
  });

  it("that is not there any more is seen by a refresh too", async () => {
    const stored = await resting();
    world.memory = { history: ["web-old"] };
    const props = await refreshed(stored);
    expect(props).not.toHaveProperty("resting");
    const news = inputs({ stable: "web-old", plan: paused() });
    expect((await provider.diff("web", props, news)).changes).toBe(true);
  });

  it("a rollback goes further back than the state, and says so, with what rested there gone from it", async () => {
    const stored = await resting();
    world.candidateIsGood = false;
    const news = inputs({ stable: "web-old", plan: paused(["look"]) });
    const error = await thrownBy(provider.update("web", stored, news));
    expect(error).toMatchObject({
      code: "rolled-back",
      id: "web",
      properties: {
        candidate: "web-new",
        plan: paused(),
        weights: { "web-old": 100 },
        memory: { history: ["web-old"] },
        __provider: "text of the provider",
      },
    });
    expect(error["properties"]).not.toHaveProperty("resting");
    expect(world).toMatchObject({ weights: { "web-old": 100 }, memory: { history: ["web-old"] }, marker: null });
    // The reverted commit begins anew.
    const reverted = inputs({ stable: "web-old", plan: paused() });
    expect((await provider.diff("web", error["properties"], reverted)).changes).toBe(true);
  });

  it("a rollback before anything had traffic says so too: what rested is not prepared any more", async () => {
    const plan = (approved: readonly string[]) => planOf("blueGreen", { promotion: "approved", approved, holdMs: 0 });
    const stored = await resting({ plan: plan([]) });
    expect(stored).toMatchObject({ weights: { "web-old": 100 }, resting: "promote" });
    world.candidateIsGood = false;
    const error = await thrownBy(
      provider.update("web", stored, inputs({ stable: "web-old", plan: plan(["promote"]) })),
    );
    expect(error).toMatchObject({ code: "rolled-back", properties: { weights: { "web-old": 100 } } });
    expect(error["properties"]).not.toHaveProperty("resting");
  });

  it("an update that could not even claim the router leaves the state as it is, which is still true", async () => {
    const stored = await resting();
    world.claimFails = true;
    const error = await thrownBy(provider.update("web", stored, inputs({ stable: "web-old", plan: paused(["look"]) })));
    expect(error).toMatchObject({ code: "rolled-back" });
    expect(error["id"]).toBeUndefined();
    expect(world.weights).toEqual({ "web-new": 20, "web-old": 80 });
  });

  it("a rollback that failed reports what was observed, the pause included", async () => {
    const stored = await resting();
    world.candidateIsGood = false;
    world.restoreFails = true;
    const error = await thrownBy(provider.update("web", stored, inputs({ stable: "web-old", plan: paused(["look"]) })));
    expect(error).toMatchObject({
      code: "rollback-failed",
      properties: { weights: { "web-new": 20, "web-old": 80 }, resting: "look" },
    });
  });

  describe("with hooks that were run", () => {
    const hooks = { sync: "sync orders", "stop sync": "end it" };
    const plan = (approved: readonly string[] = []) =>
      planOf("parallel", {
        steps: [runHook("sync", { limitMs: 1_000, undo: "stop sync" }), setWeight(20), pause("look")],
        approved,
        holdMs: 0,
      });
    const hooked = { stable: "web-old", hooks, plan: plan() };

    it("giving it up takes them back", async () => {
      const stored = await resting(hooked);
      expect(world.hooksRun).toEqual(["sync"]);
      const back = inputs({ ...hooked, candidate: "web-old" });
      expect((await provider.diff("web", stored, back)).changes).toBe(true);
      expect(printed.at(-1)).toContain("and stop sync run to take back what was done");
      await provider.update("web", stored, back);
      expect(world.hooksRun).toEqual(["sync", "stop sync"]);
    });

    it("a rollback of a later update takes them back, once", async () => {
      const stored = await resting(hooked);
      world.candidateIsGood = false;
      await thrownBy(provider.update("web", stored, inputs({ ...hooked, plan: plan(["look"]) })));
      expect(world.hooksRun).toEqual(["sync", "stop sync"]);
    });

    it("a program that does not declare them any more is refused before anything is moved", async () => {
      const stored = await resting(hooked);
      const news = inputs({ candidate: "web-old" });
      const error = await thrownBy(provider.update("web", stored, news));
      expect(error).toMatchObject({ code: "invalid-input" });
      expect(error["message"]).toContain(
        'the pause where the last update ended names the hook "stop sync", which is not declared',
      );
      await expect(provider.diff("web", stored, news)).rejects.toThrow("stop sync");
      expect(world.weights).toEqual({ "web-new": 20, "web-old": 80 });
    });
  });

  it("several pauses that are approved at once may make an update that lasts too long, which the preview refuses", async () => {
    const long = (approved: readonly string[]) =>
      planOf("progressive", {
        steps: [soak(4_000), pause("look"), soak(4_000), pause("look again")],
        approved,
        runBudgetMs: 5_000,
        holdMs: 0,
      });
    const news = inputs({ stable: "web-old", plan: long(["look", "look again"]) });
    await expect(provider.diff("web", outputs(), news)).rejects.toThrow(
      "The steps of this update last 8 s on purpose, more than runBudgetMs = 5000",
    );
  });
});

describe("the difference", () => {
  const changes = async (olds: object, news: object) => (await provider.diff("web", olds, news)).changes;

  it("is none when the same version is declared, whatever its probes and its provider's text", async () => {
    const news = { ...inputs({ candidate: "web-old", probes: [tcp({ name: "other" })] }), __provider: "newer text" };
    expect(await changes(outputs(), news)).toBe(false);
    expect(printed).toEqual([]);
  });

  it.each([
    ["another candidate", {}, { candidate: "web-new" }],
    ["another shape of the router", {}, { candidate: "web-old", router: { port: 81 } }],
    ["weights that drifted", { weights: { other: 100 } }, { candidate: "web-old" }],
    ["a state of an older protocol", { protocol: 0 }, { candidate: "web-old" }],
  ])("is there for %s, and the plan is told", async (_what, olds, news) => {
    expect(await changes(outputs(olds), inputs(news))).toBe(true);
    expect(printed.join("\n")).toContain("Cut-over of web (blue/green)");
  });

  it("replaces the resource only for another release", async () => {
    expect((await provider.diff("web", outputs(), inputs({ release: "shop" }))).replaces).toEqual(["release"]);
    expect((await provider.diff("web", outputs(), inputs())).replaces).toEqual([]);
  });
});

describe("the check", () => {
  it("tells the plan of a new service, and names a wrong field", async () => {
    expect(await provider.check({}, inputs())).toMatchObject({ failures: [] });
    expect(printed.join("\n")).toContain("a new service → web-new");
    const { failures } = await provider.check({}, { ...inputs(), candidate: 3 });
    expect(failures).toMatchObject([{ property: "candidate" }]);
  });

  it("refuses a plan that names a probe or a hook which is not declared", async () => {
    const plan = planOf("parallel", { steps: [runHook("sync", { limitMs: 1, undo: "stop sync" })] });
    const news = inputs({ plan, hooks: { sync: "sync orders" } });
    expect((await provider.check({}, news)).failures).toEqual([
      { property: "plan", reason: 'step 2 names the hook "stop sync", which is not declared: those declared are sync' },
    ]);
  });
});

describe("reading", () => {
  it("gives the live weights and the live shape, so that a change by hand shows", async () => {
    world.weights = { elsewhere: 100 };
    world.port = 81;
    expect(await provider.read("web", outputs())).toMatchObject({
      id: "web",
      props: { weights: { elsewhere: 100 }, router: { port: 81 } },
    });
  });

  it("tells that a run left something behind, which then needs an update, though traffic is where it should be", async () => {
    world.marker = {
      transaction: "t-7",
      candidate: "web-x",
      origin: { weights: { "web-old": 100 }, shape: "{}" },
      step: 2,
      undo: ["allow writes"],
      fencing: 1,
      owner: { host: "elsewhere", processId: 7, processStart: "boot/7" },
      leaseUntilMs: 0,
    };
    const props = await refreshed(outputs());
    expect(props).toMatchObject({ weights: { "web-old": 100 }, unsettled: "t-7" });
    const news = inputs({ candidate: "web-old" });
    expect((await provider.diff("web", props, news)).changes).toBe(true);
    expect(printed.at(-1)).toContain(
      "what an earlier run left behind is put right first; then web-old has all traffic already",
    );
    const settled = await released(props, news);
    expect(settled).not.toHaveProperty("unsettled");
    expect(world.hooksRun).toEqual(["allow writes"]);
    expect((await provider.diff("web", settled, news)).changes).toBe(false);
  });

  it("tells that the router object is gone", async () => {
    world.weights = null;
    expect((await provider.read("web", outputs())).id).toBeUndefined();
  });
});

it("deleting removes the router object", async () => {
  await provider.delete("web", outputs());
  expect(world.weights).toBeNull();
});
