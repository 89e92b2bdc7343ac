import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  beginPlan,
  BasculeError,
  describePlan,
  describeWeights,
  isDone,
  planProblems,
  planRefusal,
  restSchema,
  sameWeights,
  type ErrorCode,
  type PlanBeginning,
  type Reason,
  type RouterMemory,
  type RouterObservation,
  type Weights,
} from "@bascule/core";
import {
  processOwnership,
  runCutover,
  systemClock,
  thisProcess,
  type CutoverOutcome,
  type CutoverPorts,
  type JournalFile,
} from "@bascule/engine";
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { protocol, type CutoverInputs } from "./cutover-inputs.ts";
import { watchEngine } from "./engine-watch.ts";

/** What a platform's Cutover adds: the declared shape of its router object, as plain JSON. */
export type PlatformInputs = CutoverInputs & {
  readonly router: unknown;
  readonly sizes?: unknown;
  /** What a plan's hooks run, by name. */
  readonly hooks?: Readonly<Record<string, unknown>> | undefined;
};

/** The router's adapter and all that goes with it, opened for one operation. */
export interface CutoverSession extends Omit<CutoverPorts, "clock" | "ownership"> {
  readonly journal: JournalFile;
  /** The live object in the terms of the declared shape, so that a change by hand shows; `undefined` when it is gone. */
  readRouter(signal: AbortSignal): Promise<unknown>;
  /** What users of the service want to know, for example its address; the resource's output `details`. */
  describe(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Removes the router object, whoever has its traffic, and comes back when it is gone. */
  remove(signal: AbortSignal): Promise<void>;
}

/** How one platform fills in the Cutover resource. */
export interface CutoverPlatform<Inputs extends PlatformInputs> {
  readonly inputs: z.ZodType<Inputs>;
  open(inputs: Inputs): Promise<CutoverSession>;
}

/** Long enough for a restart of an API server, short enough that another host may take over soon. */
const leaseMs = 15_000;
const readLimitMs = 60_000;
const removeLimitMs = 300_000;

const storedSchema = z.looseObject({
  protocol: z.number(),
  candidate: z.string(),
  release: z.string(),
  router: z.unknown(),
  sizes: z.unknown().optional(),
  weights: z.record(z.string(), z.number()),
  /** The transaction whose marker was seen on the router object, which has to be settled. */
  unsettled: z.string().optional(),
  /** What the router object kept when the update ended: the preview tells by it what an update would do. */
  memory: z
    .object({ history: z.array(z.string()), rest: restSchema.optional() })
    .default({ history: [] })
    .catch({ history: [] }),
});
type Stored = z.infer<typeof storedSchema>;

/**
 * The behaviour of a Cutover resource, for a platform. It follows the contract with Pulumi: what is thrown plainly leaves the
 * old state, which is true because the rollback was verified; a rollback that failed reports the observed weights.
 */
export function defineCutoverProvider<Inputs extends PlatformInputs>(
  platform: CutoverPlatform<Inputs>,
): Required<Omit<pulumi.dynamic.ResourceProvider, "configure">> {
  const parse = (inputs: unknown) => platform.inputs.parse(withoutInternals(inputs));

  return {
    check: async (olds: unknown, news: unknown) => {
      const parsed = platform.inputs.safeParse(withoutInternals(news));
      if (parsed.success) {
        const isNew = !storedOrInputs.safeParse(olds).success;
        if (isNew) announce(parsed.data, undefined);
        const failures = problemsOf(parsed.data, undefined).map((reason) => ({ property: "plan", reason }));
        return { inputs: news, failures };
      }
      return {
        inputs: news,
        failures: parsed.error.issues.map((issue) => ({ property: issue.path.join("."), reason: issue.message })),
      };
    },

    diff: async (_id: string, olds: unknown, news: unknown) => {
      const inputs = parse(news);
      const stored = storedSchema.safeParse(olds);
      const changes =
        !stored.success ||
        stored.data.protocol !== protocol ||
        stored.data.unsettled !== undefined ||
        stored.data.candidate !== inputs.candidate ||
        !isDone(inputs.plan, inputs, stored.data.weights, stored.data.memory.rest) ||
        !isDeepStrictEqual(stored.data.sizes, inputs.sizes) ||
        !isDeepStrictEqual(stored.data.router, inputs.router);
      if (changes && stored.success) {
        const beginning = announce(inputs, stored.data);
        const problem = problemsOf(inputs, stored.data)[0] ?? planRefusal(inputs, beginning)?.message;
        if (problem !== undefined) throw impossible(inputs, problem);
      }
      return { changes, replaces: stored.success && stored.data.release !== inputs.release ? ["release"] : [] };
    },

    create: async (news: unknown) => {
      const inputs = parse(news);
      return { id: inputs.release, outs: await runFor(platform, inputs, news, undefined) };
    },

    update: async (_id: string, olds: unknown, news: unknown) => ({
      outs: await runFor(platform, parse(news), news, olds),
    }),

    read: async (id: string, props: unknown) => {
      const stored = asRecord(props);
      const session = await platform.open(parse(inputsIn(stored)));
      const signal = AbortSignal.timeout(readLimitMs);
      const observation = await session.router.observe(signal);
      if (!observation.exists) return {};
      return {
        id,
        props: {
          ...withoutTraffic(stored),
          ...observed(observation),
          router: (await session.readRouter(signal)) ?? stored["router"],
        },
      };
    },

    delete: async (_id: string, props: unknown) => {
      const session = await platform.open(parse(inputsIn(asRecord(props))));
      await session.remove(AbortSignal.timeout(removeLimitMs));
    },
  };
}

async function runFor<Inputs extends PlatformInputs>(
  platform: CutoverPlatform<Inputs>,
  inputs: Inputs,
  news: unknown,
  olds: unknown,
): Promise<Record<string, unknown>> {
  const stored = storedSchema.safeParse(olds).data;
  const [problem] = problemsOf(inputs, stored);
  if (problem !== undefined) throw impossible(inputs, problem);
  const watch = watchEngine();
  try {
    const session = await platform.open(inputs);
    const transaction = {
      id: randomUUID(),
      candidate: inputs.candidate,
      ...(inputs.stable === undefined ? {} : { stable: inputs.stable }),
      plan: inputs.plan,
      isReshaped: stored !== undefined && !isDeepStrictEqual(stored.router, inputs.router),
      owner: thisProcess(),
      leaseMs,
    };
    const outcome = await runCutover(
      {
        transaction,
        probes: inputs.probes,
        change: inputs.change,
        ownerLost: watch.lost,
        onProgress: (message) => console.log(`${inputs.release}: ${message}`),
      },
      { ...session, clock: systemClock, ownership: processOwnership },
    );
    if (outcome.phase !== "committed") throw await failureOf(outcome, inputs, news, olds, session);
    return {
      ...asRecord(news),
      ...outputsOf(outcome.weights, outcome.memory),
      transaction: transaction.id,
      journal: session.journal.path,
      details: await session.describe(AbortSignal.timeout(readLimitMs)),
    };
  } finally {
    watch.stop();
  }
}

/** What a refusal is called in the error; anything else means that the router could not be worked with. */
const refusalCodes: Readonly<Partial<Record<Reason["code"], ErrorCode>>> = {
  "window-closed": "window-closed",
  "concurrent-run": "concurrent-run",
  "journal-failed": "journal-damaged",
  "stable-not-declared": "invalid-input",
  "budget-exceeded": "invalid-input",
};

/** The error that leaves Pulumi with a state that is true. */
async function failureOf(
  outcome: Exclude<CutoverOutcome, { phase: "committed" }>,
  inputs: PlatformInputs,
  news: unknown,
  olds: unknown,
  session: CutoverSession,
): Promise<Error> {
  const where = `The journal is ${session.journal.path}.`;
  switch (outcome.phase) {
    case "refused":
      return new BasculeError(
        refusalCodes[outcome.reason.code] ?? "unreachable",
        `${inputs.release}: nothing was moved. ${outcome.reason.message} ${where}`,
      );
    case "rolledBack": {
      const served =
        outcome.weights === null
          ? "the service did not exist before and was removed again"
          : `all is as it was: ${describeWeights(outcome.weights)}`;
      const verified = outcome.stableVerified
        ? "verified"
        : "but it did not pass its own verification, so look at it now";
      const message = `${inputs.release}: ${inputs.candidate} was not accepted. ${outcome.reason.message}. Traffic: ${served}, ${verified}. Mend the version or revert the commit. ${where}`;
      const error = new BasculeError("rolled-back", message);
      // A rollback from a pause goes further back than the state: to where traffic came from.
      const stored = storedSchema.safeParse(olds).data;
      const { weights } = outcome;
      if (stored === undefined || weights === null) return error;
      const { history, rest } = stored.memory;
      if (sameWeights(stored.weights, weights) && rest?.pause === outcome.restingAt) return error;
      return asPartialFailure(error, inputs, news, olds, outputsOf(weights, { history }));
    }
    case "unsettled": {
      const seen = await observeOrUndefined(session);
      const message = `${inputs.release}: going back failed: ${outcome.cause}. It was needed because: ${outcome.reason.message}. Traffic as last seen: ${seen ? describeWeights(seen.weights) : "unknown, the router cannot be reached"}. Run pulumi up again: it settles this first. ${where}`;
      const error = new BasculeError("rollback-failed", message);
      const outputs = seen ? observed(seen) : outputsOf({ unknown: 100 }, { history: [] });
      return asPartialFailure(error, inputs, news, olds, outputs);
    }
  }
}

/** An error that also tells Pulumi who has the traffic, because the old state does not. */
function asPartialFailure(
  error: BasculeError,
  { release }: PlatformInputs,
  news: unknown,
  olds: unknown,
  outputs: Record<string, unknown>,
): Error {
  const before = storedSchema.safeParse(olds).success ? withoutTraffic(asRecord(olds)) : asRecord(news);
  return Object.assign(error, {
    id: release,
    reasons: [error.message],
    // Pulumi stores these as they are, and needs the provider's own text among them to refresh or destroy later.
    properties: { ...before, ...outputs, __provider: asRecord(news)["__provider"] },
  });
}

/** What the resource says about the traffic: who has it, at which pause it rests, and what the preview has to know of the past. */
function outputsOf(weights: Weights, memory: RouterMemory): Record<string, unknown> {
  return { weights, memory, ...(memory.rest ? { resting: memory.rest.pause } : {}) };
}

/** What was seen on the router object. A marker that was left needs an update, also where traffic is as it should be: hooks may be left. */
function observed({ weights, memory, marker }: RouterObservation): Record<string, unknown> {
  return { ...outputsOf(weights, memory ?? { history: [] }), ...(marker ? { unsettled: marker.transaction } : {}) };
}

function withoutTraffic(stored: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(stored).filter(([key]) => !["resting", "memory", "unsettled"].includes(key)),
  );
}

/** What the plan names and the program does not declare; hooks that earlier updates left to be run are still needed too. */
function problemsOf({ plan, probes, hooks = {} }: PlatformInputs, stored: Stored | undefined): readonly string[] {
  return planProblems(plan, { probes, hooks: Object.keys(hooks), undo: stored?.memory.rest?.undo ?? [] });
}

async function observeOrUndefined(session: CutoverSession): Promise<RouterObservation | undefined> {
  try {
    return await session.router.observe(AbortSignal.timeout(readLimitMs));
  } catch {
    return undefined;
  }
}

/** Tells the reviewer of a preview what will happen. */
function announce(inputs: PlatformInputs, stored: Stored | undefined): PlanBeginning {
  const { release, candidate } = inputs;
  const probes = inputs.probes.map((probe) => probe.name);
  const { weights: from, memory } = stored ?? { weights: null, memory: { history: [] } };
  const { history, rest } = memory;
  const situation = { candidate, weights: from ?? {}, isServed: from !== null, history, rest };
  const beginning = beginPlan(inputs.plan, situation);
  const left = stored?.unsettled === undefined ? [] : ["what an earlier run left behind is put right first"];
  const note = [...left, ...(beginning.note === undefined ? [] : [beginning.note])].join("; then ") || undefined;
  console.log(describePlan({ ...beginning, note, release, candidate, from, probes }));
  return beginning;
}

function impossible({ release }: PlatformInputs, problem: string): BasculeError {
  const message = `${release}: the plan cannot be followed: ${problem.replace(/\.$/, "")}. Nothing was moved.`;
  return new BasculeError("invalid-input", message);
}

const storedOrInputs = z.looseObject({ release: z.string() });

/** The properties that a cut-over adds to what was declared. */
export const cutoverOutputs = new Set([
  "weights",
  "resting",
  "memory",
  "unsettled",
  "transaction",
  "journal",
  "details",
]);

function withoutInternals(inputs: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(asRecord(inputs)).filter(([key]) => key !== "__provider"));
}

function inputsIn(stored: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(stored).filter(([key]) => key !== "__provider" && !cutoverOutputs.has(key)));
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
