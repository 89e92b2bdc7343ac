import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planOf, tcp, type Marker, type Weights } from "@bascule/core";
import { openJournal, systemClock, type Router } from "@bascule/engine";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { cutoverInputsSchema, protocol } from "./cutover-inputs.ts";
import { defineCutoverProvider, type CutoverPlatform } from "./cutover-provider.ts";

const canary = "canary-5d1e";
const inputsSchema = cutoverInputsSchema.extend({ router: z.strictObject({ port: z.number() }) });
type Inputs = z.infer<typeof inputsSchema>;

/** A router in memory, whose restore and verification can be told to fail. */
class World {
  weights: Weights | null = { "web-old": 100 };
  marker: Marker | null = null;
  port = 80;
  candidateIsGood = true;
  restoreFails = false;
}

let world: World;
let directory: string;
let printed: string[];

const routerOf = (seen: World): Router => ({
  observe: () =>
    Promise.resolve({ exists: seen.weights !== null, weights: seen.weights ?? {}, marker: seen.marker, shape: "{}" }),
  claim: (marker) => {
    seen.marker = marker;
    seen.weights ??= {};
    return Promise.resolve();
  },
  shift: (weights, marker) => {
    seen.weights = weights;
    seen.marker = marker;
    return Promise.resolve();
  },
  restore: (origin) => {
    if (seen.restoreFails) return Promise.reject(new Error("the router is gone"));
    seen.weights = origin?.weights ?? null;
    return Promise.resolve();
  },
  renew: () => Promise.resolve({ abortRequested: false }),
  release: () => {
    seen.marker = null;
    return Promise.resolve();
  },
});

const platform: CutoverPlatform<Inputs> = {
  inputs: inputsSchema,
  open: async (inputs) => ({
    router: routerOf(world),
    prober: {
      measure: ({ probe, target, expected }) => {
        const isBad = target === "service" && !world.candidateIsGood;
        const measurement = {
          probe: probe.name,
          startedAtMs: 0,
          durationMs: 1,
          answeredBy: Object.keys(expected)[0] ?? "",
        };
        return Promise.resolve({
          ...measurement,
          verdict: isBad ? "fail" : "pass",
          message: isBad ? "measured 500" : "200",
        });
      },
    },
    workload: { disconnect: () => Promise.resolve() },
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
  ...change,
});

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
      properties: { weights: { "web-new": 100 }, candidate: "web-old", __provider: "text of the provider" },
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

  it("never tells a secret header, in its journal, its errors or what it prints", async () => {
    world.candidateIsGood = false;
    const probe = { kind: "http", name: "http /", path: "/", expect: {}, headers: { authorization: canary } } as const;
    const error = await thrownBy(provider.update("web", outputs(), inputs({ probes: [probe] })));
    const journal = readFileSync(join(directory, "web-1.jsonl"), "utf8");
    expect(journal).toContain("rolledBack");
    expect(`${journal}${JSON.stringify(error)}${printed.join("")}`).not.toContain(canary);
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

  it("tells that the router object is gone", async () => {
    world.weights = null;
    expect((await provider.read("web", outputs())).id).toBeUndefined();
  });
});

it("deleting removes the router object", async () => {
  await provider.delete("web", outputs());
  expect(world.weights).toBeNull();
});
