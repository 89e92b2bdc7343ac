import {
  describeStep,
  nextEntry,
  podsOf,
  type JournalFact,
  type Marker,
  type Origin,
  type Plan,
  type RouterMemory,
  type Step,
  type VersionId,
  type Weights,
} from "../../packages/core/src/index.ts";
import {
  createFakeClock,
  runCutover,
  type CutoverOutcome,
  type CutoverPorts,
} from "../../packages/engine/src/index.ts";

/** The Pods of each version. */
export type Sizes = Readonly<Record<VersionId, number>>;

/** The world at the moment in which a fact is written down. */
export interface Moment {
  readonly fact: JournalFact;
  readonly weights: Weights;
  readonly sizes: Sizes;
  /** Since the update began. */
  readonly afterMs: number;
}

/** One update of the program. */
export interface UpdateRequest {
  readonly candidate: VersionId;
  /** The version that is declared beside the candidate. */
  readonly stable?: VersionId;
  readonly plan: Plan;
  /** The Pods that the candidate begins with. Default: all. */
  readonly firstSize?: number;
  /** Whether a measurement of the version at this target passes. Default: always. */
  readonly isHealthy?: (version: VersionId, target: "candidate" | "service" | "stable" | "baseline") => boolean;
  /** An abort is asked for as soon as this step has begun. */
  readonly abortAt?: Step;
  /** The process dies once this step has begun, and leaves everything as it is. */
  readonly dieAt?: Step;
}

export interface Update {
  /** Absent where the process died. */
  readonly outcome?: CutoverOutcome;
  readonly moments: readonly Moment[];
}

/** A service that is released by the real engine, at a simulated time; its router and its Pods are only data. */
export interface SimulatedService {
  readonly weights: () => Weights;
  readonly sizes: () => Sizes;
  readonly update: (request: UpdateRequest) => Promise<Update>;
}

export interface Before {
  readonly replicas: number;
  readonly weights: Weights;
  /** The versions that were promoted, the newest first. Default: those that have traffic. */
  readonly history?: readonly VersionId[];
}

interface RouterObject {
  readonly weights: Weights;
  readonly marker: Marker | null;
  readonly memory: RouterMemory;
}

const leaseMs = 20_000;

/** A service that serves with these weights. */
export function simulateService({ replicas, weights, history = Object.keys(weights) }: Before): SimulatedService {
  const clock = createFakeClock();
  let object: RouterObject = { weights, marker: null, memory: { history } };
  let sizes: Sizes = Object.fromEntries(Object.keys(weights).map((version) => [version, replicas]));
  let updates = 0;

  async function update(request: UpdateRequest): Promise<Update> {
    const { candidate, stable, plan, isHealthy = () => true } = request;
    const id = `update ${(updates += 1)}`;
    const beganAtMs = clock.nowMs();
    const moments: Moment[] = [];
    let isAlive = true;
    let isAborted = false;
    let last: ReturnType<typeof nextEntry> | undefined;
    sizes = { [candidate]: request.firstSize ?? replicas, ...sizes };

    const write = (change: Partial<RouterObject>): Promise<void> => {
      object = { ...object, ...change };
      return Promise.resolve();
    };
    const hasBegun = (fact: JournalFact, step: Step | undefined) =>
      step !== undefined && fact.kind === "stepStarted" && fact.description === describeStep(step);
    /** A process that is dead gets no answer any more, and changes nothing. */
    const living = <Given extends readonly unknown[], Result>(call: (...given: Given) => Promise<Result>) => {
      return (...given: Given): Promise<Result> => (isAlive ? call(...given) : new Promise(() => undefined));
    };

    const ports: CutoverPorts = {
      clock: clock.view(() => isAlive),
      router: {
        observe: living(async () => ({ exists: true, shape: "", ...object })),
        claim: living((marker: Marker) => write({ marker })),
        shift: living((traffic: { readonly weights: Weights }, marker: Marker) =>
          write({ weights: traffic.weights, marker }),
        ),
        restore: living((origin: Origin | null, marker: Marker) =>
          write({ weights: origin?.weights ?? {}, marker, memory: { history: object.memory.history } }),
        ),
        renew: living(async () => ({ abortRequested: isAborted })),
        release: living((_marker: Marker, memory: RouterMemory | undefined) =>
          write({ marker: null, ...(memory ? { memory } : {}) }),
        ),
      },
      prober: {
        measure: living(async ({ probe, target, expected }) => {
          const version = target === "candidate" ? candidate : nextToAnswer(expected, object.weights, moments.length);
          const verdict = isHealthy(version, target) ? "pass" : "fail";
          const message = `measured ${verdict}`;
          const startedAtMs = clock.nowMs();
          return { probe: probe.name, verdict, startedAtMs, durationMs: 1, message, answeredBy: version } as const;
        }),
      },
      workload: {
        disconnect: living(async () => undefined),
        scale: living(async (version, size) => {
          sizes = { ...sizes, [version]: podsOf(size, replicas) };
        }),
      },
      hooks: { run: living(async () => undefined) },
      journal: {
        append: living(async (transaction, fact) => {
          moments.push({ fact, weights: object.weights, sizes, afterMs: clock.nowMs() - beganAtMs });
          if (hasBegun(fact, request.abortAt)) isAborted = true;
          if (hasBegun(fact, request.dieAt)) isAlive = false;
          last = nextEntry(last, transaction, fact, clock.nowMs());
          return last;
        }),
      },
      ownership: { isGone: () => true },
    };

    const run = runCutover(
      {
        transaction: {
          id,
          candidate,
          ...(stable === undefined ? {} : { stable }),
          plan,
          owner: { host: "here", processId: updates, processStart: id },
          leaseMs,
        },
        probes: [{ kind: "tcp", name: "answers" }],
        change: {},
      },
      ports,
    );
    let outcome: CutoverOutcome | undefined;
    const settled = run.then((found) => (outcome = found));
    if (request.dieAt) await clock.passUntil(() => !isAlive);
    else await clock.passUntilSettled(settled);
    // Pulumi deletes what the program does not declare at the end of an update that succeeded.
    if (outcome?.phase === "committed") sizes = pick(sizes, [candidate, ...(stable === undefined ? [] : [stable])]);
    return { ...(outcome ? { outcome } : {}), moments };
  }

  return { weights: () => object.weights, sizes: () => sizes, update };
}

/** The world as a step begins; `undefined` where it never began. */
export function atStep({ moments }: Update, step: Step): Moment | undefined {
  const description = describeStep(step);
  return moments.find(({ fact }) => fact.kind === "stepStarted" && fact.description === description);
}

/** The versions that have traffic answer in turn. */
function nextToAnswer(expected: Weights, weights: Weights, turn: number): VersionId {
  const versions = Object.keys(weights).filter((version) => (weights[version] ?? 0) > 0);
  return versions[turn % versions.length] ?? Object.keys(expected)[0] ?? "nobody";
}

function pick(sizes: Sizes, versions: readonly VersionId[]): Sizes {
  return Object.fromEntries(Object.entries(sizes).filter(([version]) => versions.includes(version)));
}
