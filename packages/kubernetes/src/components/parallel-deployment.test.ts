import { lag, probeSchema } from "@bascule/core";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { cutoverType, mockStack, type MockedStack } from "./mocked-stack.fake.ts";
import {
  BasculeError,
  difference,
  http,
  httpRoute,
  mirror,
  ParallelDeployment,
  pause,
  ProgressiveDeployment,
  runHook,
  serviceSwitch,
  type DataArgs,
  type ParallelDeploymentArgs,
} from "../../dist/index.js";

const container = { image: "registry.example/web:2.0", port: 8080 };
const former = { container: { ...container, image: "registry.example/web:1.9" } };
const hook = (command: string) => ({ image: "registry.example/sync:1", command: [command] });
const data: DataArgs = {
  start: hook("start"),
  stop: hook("stop"),
  cutOver: hook("cut-over"),
  goBack: hook("go-back"),
};
let stack: MockedStack;

beforeEach(async () => {
  stack = await mockStack("dev");
});
afterEach(() => pulumi.runtime.disconnect());

const inputsSchema = z.looseObject({
  plan: z.looseObject({ steps: z.array(z.looseObject({ kind: z.string() })), scaleLimitMs: z.number() }),
  probes: z.array(probeSchema),
  router: z.looseObject({ kind: z.string(), mirror: z.looseObject({ replicas: z.number() }) }),
  hooks: z.record(z.string(), z.looseObject({ command: z.array(z.string()) })).optional(),
});

async function cutoverOf(args: Partial<ParallelDeploymentArgs> = {}) {
  new ParallelDeployment("web", { container, ...args });
  const [cutover] = await stack.ofType(cutoverType);
  return inputsSchema.parse(cutover?.inputs);
}

/** The steps in short. */
async function stepsOf(args: Partial<ParallelDeploymentArgs> = {}): Promise<readonly string[]> {
  const { plan } = await cutoverOf(args);
  return plan.steps.map((step) =>
    [step.kind, step["target"], step["name"], step["percent"], step["weightPercent"], step["durationMs"]]
      .filter((part) => typeof part === "string" || typeof part === "number")
      .join(" "),
  );
}

describe("a parallel release", () => {
  it("needs no more than an image and a port: all requests are copied for a minute before all traffic moves", async () => {
    expect(await stepsOf()).toEqual([
      "verify candidate",
      "mirror 100",
      "soak 60000",
      "verify service",
      "shift 100",
      "verify service",
      "hold 5000",
    ]);
  });

  it("takes the share and the time that it is told", async () => {
    expect(await stepsOf({ mirror: { percent: 20, durationMs: 5_000 } })).toEqual(
      expect.arrayContaining(["mirror 20", "soak 5000"]),
    );
  });

  it("compares answers beside what the user verifies, and bears no difference by default", async () => {
    const { probes } = await cutoverOf({ verify: [http("/health")] });
    expect(probes).toEqual([{ kind: "http", name: "http /health", path: "/health", expect: {} }, difference()]);
  });

  it("bears as many differences, and wants as many answers, as it is told", async () => {
    const mirroring = { maximumDifferencePercent: 1.5, minimumCompared: 500, compareLatency: { minimumSamples: 200 } };
    const { probes } = await cutoverOf({ mirror: mirroring });
    expect(probes.at(-1)).toMatchObject({
      kind: "difference",
      maximumPercent: 1.5,
      minimumCompared: 500,
      compare: { minimumSamples: 200 },
    });
  });

  it("leaves a probe of differences that the user declares as it is", async () => {
    const { probes } = await cutoverOf({ verify: [difference({ maximumPercent: 7 })] });
    expect(probes.filter(({ kind }) => kind === "difference")).toEqual([difference({ maximumPercent: 7 })]);
  });

  it("tells the mirror what it copies and compares; it has two Pods at the least, and as many as the release", async () => {
    const mirroring = { image: "registry.example/node:24", unsafeMethods: ["POST" as const], ignore: ["$.at"] };
    expect((await cutoverOf({ mirror: mirroring, replicas: 1 })).router).toMatchObject({
      kind: "service",
      mirror: { ...mirroring, replicas: 2, compareHeaders: ["content-type", "location"] },
    });
    stack = await mockStack("dev");
    expect((await cutoverOf({ replicas: 5 })).router.mirror.replicas).toBe(5);
  });

  it("gives the mirror time to be ready, in which the Service is not led to it", async () => {
    expect((await cutoverOf()).plan.scaleLimitMs).toBe(300_000);
    stack = await mockStack("dev");
    expect((await cutoverOf({ mirror: { readyLimitMs: 600_000 } })).plan.scaleLimitMs).toBe(1_200_000);
  });

  it("is not the only kind that gives a mirror its time: so does a progressive one whose Service copies requests", async () => {
    new ProgressiveDeployment("web", { container, router: serviceSwitch(), steps: [mirror(20)] });
    const [cutover] = await stack.ofType(cutoverType);
    expect(cutover?.inputs).toMatchObject({ plan: { scaleLimitMs: 300_000 } });
  });

  it("takes the user's steps while requests are copied, and rests at a pause with both versions declared", async () => {
    const args = { stable: former, steps: [pause("a week"), runHook("check", { limitMs: 1_000 })] };
    expect(await stepsOf({ ...args, hooks: { check: hook("check") } })).toEqual([
      "verify candidate",
      "mirror 100",
      "soak 60000",
      "pause a week",
      "hook check",
      "verify service",
      "shift 100",
      "verify service",
      "hold 5000",
    ]);
  });
});

describe("the data of a parallel release", () => {
  it("is kept in step before requests are copied, and cut over in a moment in which nobody can write", async () => {
    const all = { ...data, reverse: hook("reverse"), finish: hook("finish") };
    expect(await stepsOf({ data: all })).toEqual([
      "verify candidate",
      "hook data-start",
      "mirror 100",
      "soak 60000",
      "verify service",
      "hook data-cut-over",
      "shift 100",
      "verify service",
      "hook data-reverse",
      "hold 5000",
      "hook data-finish",
    ]);
  });

  it("can be taken back at each hook", async () => {
    const { plan } = await cutoverOf({ data: { ...data, hookLimitMs: 9_000 }, readOnlyLimitMs: 2_000 });
    expect(plan.steps.filter(({ kind }) => kind === "hook")).toEqual([
      { kind: "hook", name: "data-start", limitMs: 9_000, undo: "data-stop", keepsInStep: true },
      { kind: "hook", name: "data-cut-over", limitMs: 9_000, undo: "data-go-back", startsReadOnly: true },
    ]);
    expect(plan).toMatchObject({ readOnlyLimitMs: 2_000 });
  });

  it("is brought over by commands of their own names", async () => {
    const all = { ...data, lag: { maximumMs: 1, hook: hook("lag") }, finish: hook("finish") };
    const { hooks } = await cutoverOf({ data: all });
    const commands = Object.entries(hooks ?? {}).map(([name, { command }]) => [name, command[0]]);
    expect(Object.fromEntries(commands)).toEqual({
      "data-start": "start",
      "data-stop": "stop",
      "data-lag": "lag",
      "data-cut-over": "cut-over",
      "data-go-back": "go-back",
      "data-finish": "finish",
    });
  });

  it("has a lag that a command tells, or the candidate itself", async () => {
    const byHook = { ...data, lag: { maximumMs: 500, unit: "seconds" as const, hook: hook("lag") } };
    expect((await cutoverOf({ data: byHook })).probes.at(-1)).toEqual(
      lag({ maximumMs: 500, unit: "seconds", hook: "data-lag", intervalMs: 5_000 }),
    );
    stack = await mockStack("dev");
    const byPath = { ...data, lag: { maximumMs: 500, path: "/replication", field: "$.lagMs", attempts: 3 } };
    expect((await cutoverOf({ data: byPath })).probes.at(-1)).toEqual(
      lag({ maximumMs: 500, path: "/replication", field: "$.lagMs", count: 3, failureLimit: 2 }),
    );
  });

  it("waits for approval before nobody can write, and not after", async () => {
    const steps = await stepsOf({ data, stable: former, promotion: "approved" });
    expect(steps.indexOf("pause promote")).toBe(steps.indexOf("hook data-cut-over") - 2);
  });

  it("may take the values of a hook's environment from other resources", async () => {
    const start = { ...hook("start"), environment: { HOST: pulumi.output("db.example") } };
    expect((await cutoverOf({ data: { ...data, start } })).hooks?.["data-start"]).toMatchObject({
      environment: { HOST: "db.example" },
    });
  });
});

describe("wrong arguments of a parallel release are refused before any resource is registered:", () => {
  const gateway = httpRoute({ parentRefs: [{ name: "public" }] });
  const cases: readonly [string, object, RegExp][] = [
    ["a router without a mirror", { router: gateway }, /router.*must be serviceSwitch\(\)/],
    ["no share at all", { mirror: { percent: 0 } }, /mirror\.percent = 0/],
    ["no time to compare", { mirror: { durationMs: 0 } }, /mirror\.durationMs = 0/],
    [
      "a method that is always copied",
      { mirror: { unsafeMethods: ["GET"] } },
      /mirror\.unsafeMethods.*GET, HEAD and OPTIONS/,
    ],
    ["a path that is none", { mirror: { ignore: ["items"] } }, /mirror\.ignore.*RFC 9535/],
    ["an unknown field", { mirror: { percentage: 5 } }, /mirror\.percentage is not a known field/],
    ["a cut-over without a way back", { data: { cutOver: hook("x") } }, /data\.goBack is missing/],
    [
      "a start without a stop",
      { data: { ...data, stop: undefined } },
      /data\.stop is missing: must be given with start/,
    ],
    ["a stop without a start", { data: { ...data, start: undefined } }, /data\.stop.*must be left out without start/],
    [
      "a lag of what is not kept in step",
      { data: { ...data, start: undefined, stop: undefined, lag: { maximumMs: 1, hook: hook("lag") } } },
      /data\.lag.*must be left out without start/,
    ],
    ["a lag that nothing tells", { data: { ...data, lag: { maximumMs: 1 } } }, /data\.lag.*either a hook or a path/],
    [
      "a lag from a path without a field",
      { data: { ...data, lag: { maximumMs: 1, path: "/lag" } } },
      /data\.lag\.field is missing/,
    ],
    ["a hook without a command", { data: { ...data, goBack: { image: "x", command: [] } } }, /data\.goBack\.command/],
    [
      "a step that runs a hook which nobody declares",
      { steps: [runHook("check", { limitMs: 1_000 })] },
      /names the hook "check", which is not declared/,
    ],
    ["a hook with a name of the data's", { hooks: { "data-x": hook("x") } }, /a name that does not begin with data-/],
    ["a hook whose Job cannot be named", { hooks: { Check_1: hook("x") } }, /1 to 17 lower-case letters/],
    ["a readOnlyLimitMs that is none", { data, readOnlyLimitMs: 0 }, /readOnlyLimitMs = 0/],
    [
      "a mirror's share that is known only while deploying",
      { mirror: { percent: pulumi.output(5) } },
      /mirror\.percent is an output/,
    ],
  ];

  it.each(cases)("%s", async (_what, change, message) => {
    const attempt = () => new ParallelDeployment("web", { container, ...change });
    expect(attempt).toThrow(BasculeError);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/Nothing was changed/);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stack.registered).toEqual([]);
  });
});
