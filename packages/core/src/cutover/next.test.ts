import { describe, expect, it } from "vitest";
import type { JournalFact } from "../journal/fact.ts";
import { planOf, type Plan } from "../plan/strategies.ts";
import type { Marker } from "./marker.ts";
import { beginCutover, next, type Transition } from "./next.ts";
import type { CutoverEvent, CutoverState, Reason, RouterObservation, Transaction } from "./state.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
const leaseMs = 20_000;

function transactionOf(overrides: Partial<Transaction> = {}): Transaction {
  return {
    id: "ours",
    candidate: "new",
    plan: planOf("blueGreen"),
    owner: { host: "here", processId: 7, processStart: "boot/7" },
    leaseMs,
    ...overrides,
  };
}
const transaction = transactionOf();
const direct = transactionOf({ plan: planOf("direct") });

const origin = { weights: { old: 100 }, shape: "original" };
const marker: Marker = {
  transaction: "ours",
  candidate: "new",
  origin,
  step: 0,
  fencing: 1,
  owner: transaction.owner,
  leaseUntilMs: nowMs + leaseMs,
};
const theirs: Marker = {
  ...marker,
  transaction: "theirs",
  step: 1,
  fencing: 3,
  owner: { host: "there", processId: 9, processStart: "boot/9" },
};
const reason: Reason = { code: "verification-failed", message: "http /health: measured 503" };

const started: CutoverEvent = { kind: "started" };
const done: CutoverEvent = { kind: "done" };
const failed: CutoverEvent = { kind: "failed", message: "the API server said no" };
const conflicted: CutoverEvent = { kind: "conflicted", message: "another run has the router" };
const interrupted: CutoverEvent = { kind: "interrupted", reason: { code: "owner-lost", message: "pulumi is gone" } };
const passed: CutoverEvent = { kind: "verified", passed: true, message: "all passed" };
const notPassed: CutoverEvent = { kind: "verified", passed: false, message: "http /health: measured 503" };

function observed(observation: Partial<RouterObservation> = {}, ownerGone = true): CutoverEvent {
  return {
    kind: "observed",
    ownerGone,
    observation: { exists: true, weights: { old: 100 }, marker: null, shape: "original", ...observation },
  };
}

const windowed = (start: string, end: string): Plan =>
  planOf("blueGreen", { window: { start: `2026-11-24T${start}`, end: `2026-11-24T${end}`, timeZone: "Etc/UTC" } });
const closed = transactionOf({ plan: windowed("22:00", "23:00") });

/** Each state that a transaction can be in, by the name that the table uses. */
const states = {
  observing: beginCutover(transaction),
  "observing out of its window": beginCutover(closed),
  claiming: { phase: "claiming", transaction, marker },
  "claiming for a first release": { phase: "claiming", transaction, marker: { ...marker, origin: null } },
  "claiming what was abandoned": {
    phase: "claiming",
    transaction,
    marker: { ...marker, fencing: 4 },
    abandoned: theirs,
  },
  "settling, restoring": { phase: "settling", transaction, marker, abandoned: theirs, stage: "restore" },
  "settling a first release": {
    phase: "settling",
    transaction,
    marker: { ...marker, origin: null },
    abandoned: { ...theirs, origin: null },
    stage: "restore",
  },
  "settling, verifying": { phase: "settling", transaction, marker, abandoned: theirs, stage: "verify" },
  "settling out of its window": { phase: "settling", transaction: closed, marker, abandoned: theirs, stage: "verify" },
  "stepping: verify the candidate": { phase: "stepping", transaction, marker },
  "stepping: shift": { phase: "stepping", transaction, marker: { ...marker, step: 1 } },
  "stepping: verify the service": { phase: "stepping", transaction, marker: { ...marker, step: 2 } },
  "stepping: hold": { phase: "stepping", transaction, marker: { ...marker, step: 3 } },
  "stepping out of its window": { phase: "stepping", transaction: closed, marker },
  committing: { phase: "committing", transaction, marker: { ...marker, step: 3 } },
  "committing, in doubt": {
    phase: "committing",
    transaction,
    marker: { ...marker, step: 3 },
    doubt: { reason: { code: "router-failed", message: "the answer was lost" }, isConflict: false },
  },
  "committing, conflicted": {
    phase: "committing",
    transaction,
    marker: { ...marker, step: 3 },
    doubt: { reason: { code: "taken-over", message: "not ours" }, isConflict: true },
  },
  restoring: { phase: "restoring", transaction, marker: { ...marker, step: 2 }, reason },
  "restoring a first release": {
    phase: "restoring",
    transaction,
    marker: { ...marker, origin: null, step: 2 },
    reason,
  },
  "verifying stable": { phase: "verifyingStable", transaction, marker: { ...marker, step: 2 }, reason },
  "verifying stable before any shift": { phase: "verifyingStable", transaction, marker, reason },
  "verifying stable that is the candidate": {
    phase: "verifyingStable",
    transaction,
    marker: { ...marker, step: 2, origin: { weights: { new: 100 }, shape: "" } },
    reason,
  },
  disconnecting: { phase: "disconnecting", transaction, marker: { ...marker, step: 2 }, reason, stableVerified: true },
  releasing: { phase: "releasing", transaction, marker, reason, stableVerified: true },
  "releasing a first release": {
    phase: "releasing",
    transaction,
    marker: { ...marker, origin: null },
    reason,
    stableVerified: true,
  },
  "releasing, in doubt": {
    phase: "releasing",
    transaction,
    marker,
    reason,
    stableVerified: true,
    doubt: { reason: { code: "router-failed", message: "the answer was lost" }, isConflict: false },
  },
  committed: { phase: "committed", transaction, weights: { new: 100 } },
  rolledBack: { phase: "rolledBack", transaction, reason, weights: { old: 100 }, stableVerified: true },
  refused: { phase: "refused", transaction, reason },
  unsettled: { phase: "unsettled", transaction, reason, cause: "restore was refused" },
} satisfies Record<string, CutoverState>;
type StateName = keyof typeof states;

/** What happens in a state: where it leads, what is done next, and which facts are written. */
const table: readonly (readonly [
  StateName,
  CutoverEvent,
  string,
  CutoverState["phase"],
  string,
  ...JournalFact["kind"][],
])[] = [
  ["observing", started, "begins", "observing", "observe"],
  ["observing", observed(), "a free router", "claiming", "claim", "routerObserved"],
  [
    "observing",
    observed({ exists: false, weights: {}, shape: "" }),
    "no router",
    "claiming",
    "claim",
    "routerObserved",
  ],
  [
    "observing",
    observed({ marker: theirs }, false),
    "a router of a living owner",
    "refused",
    "",
    "routerObserved",
    "refused",
  ],
  [
    "observing",
    observed({ marker: theirs }),
    "a router of an owner who is gone",
    "claiming",
    "claim",
    "routerObserved",
    "abandonedTransactionFound",
  ],
  ["observing", failed, "no answer", "refused", "", "refused"],
  ["observing", interrupted, "an interruption", "refused", "", "refused"],
  ["observing out of its window", observed(), "a free router", "refused", "", "routerObserved", "refused"],
  [
    "observing out of its window",
    observed({ marker: theirs }),
    "a router of an owner who is gone",
    "claiming",
    "claim",
    "routerObserved",
    "abandonedTransactionFound",
  ],

  ["claiming", done, "the claim is written", "stepping", "verify candidate", "routerClaimed", "stepStarted"],
  ["claiming", conflicted, "another run was quicker", "refused", "", "refused"],
  ["claiming", failed, "it may have been written", "releasing", "release"],
  ["claiming", interrupted, "it may have been written", "releasing", "release"],
  ["claiming for a first release", failed, "the router may have been made", "releasing", "restore nothing"],
  ["claiming what was abandoned", done, "the claim is written", "settling", "restore", "routerClaimed"],
  ["claiming what was abandoned", conflicted, "another run was quicker", "refused", "", "refused"],
  ["claiming what was abandoned", failed, "the marker must stay", "unsettled", "", "rollbackFailed"],
  ["claiming what was abandoned", interrupted, "the marker must stay", "unsettled", "", "rollbackFailed"],

  ["settling, restoring", done, "the origin is restored", "settling", "verify stable", "abandonedTransactionSettled"],
  ["settling, restoring", failed, "the marker stays", "unsettled", "", "rollbackFailed"],
  ["settling, restoring", interrupted, "the marker stays", "unsettled", "", "rollbackFailed"],
  ["settling, restoring", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  ["settling a first release", done, "the router is removed", "observing", "observe", "abandonedTransactionSettled"],
  [
    "settling, verifying",
    passed,
    "the release begins",
    "stepping",
    "verify candidate",
    "stableVerified",
    "stepStarted",
  ],
  [
    "settling, verifying",
    notPassed,
    "stable is ill: the release may be the cure",
    "stepping",
    "verify candidate",
    "stableVerified",
    "stepStarted",
  ],
  ["settling, verifying", interrupted, "the origin serves", "releasing", "release"],
  ["settling, verifying", failed, "the origin serves", "releasing", "release"],
  ["settling, verifying", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  ["settling out of its window", passed, "it is settled, and no more", "releasing", "release", "stableVerified"],

  ["stepping: verify the candidate", passed, "the next step", "stepping", "shift", "stepPassed", "stepStarted"],
  ["stepping: verify the candidate", notPassed, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: verify the candidate", failed, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: verify the candidate", interrupted, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: shift", done, "the next step", "stepping", "verify service", "trafficShifted", "stepStarted"],
  ["stepping: shift", failed, "it may have been written: back", "restoring", "restore", "rollbackStarted"],
  ["stepping: shift", interrupted, "it may have been written: back", "restoring", "restore", "rollbackStarted"],
  ["stepping: shift", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  [
    "stepping: verify the service",
    passed,
    "the next step",
    "stepping",
    "verify service while holding",
    "stepPassed",
    "stepStarted",
  ],
  ["stepping: verify the service", notPassed, "back", "restoring", "restore", "rollbackStarted"],
  [
    "stepping: verify the service",
    done,
    "an answer to another question: back",
    "restoring",
    "restore",
    "rollbackStarted",
  ],
  ["stepping: hold", passed, "the last step", "committing", "release", "stepPassed"],
  ["stepping: hold", notPassed, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: hold", interrupted, "back", "restoring", "restore", "rollbackStarted"],
  [
    "stepping out of its window",
    passed,
    "traffic may not move any more",
    "restoring",
    "restore",
    "stepPassed",
    "rollbackStarted",
  ],

  ["committing", done, "committed", "committed", "", "committed"],
  ["committing", failed, "the marker may be gone: look", "committing", "observe"],
  ["committing", conflicted, "the marker may be gone: look", "committing", "observe"],
  [
    "committing, in doubt",
    observed({ weights: { new: 100 } }),
    "it was written after all",
    "committed",
    "",
    "routerObserved",
    "committed",
  ],
  [
    "committing, in doubt",
    observed({ weights: { new: 100 }, marker }),
    "it was not written: back",
    "restoring",
    "restore",
    "routerObserved",
    "rollbackStarted",
  ],
  [
    "committing, in doubt",
    observed({ weights: { new: 100 }, marker: theirs }),
    "a later run has it",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  [
    "committing, in doubt",
    observed({ weights: { old: 100 } }),
    "somebody else moved traffic",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  [
    "committing, in doubt",
    observed({ exists: false, weights: {} }),
    "somebody removed the router",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  ["committing, in doubt", failed, "nothing can be seen: back", "restoring", "restore", "rollbackStarted"],
  [
    "committing, conflicted",
    observed({ weights: { new: 100 } }),
    "our own earlier write",
    "committed",
    "",
    "routerObserved",
    "committed",
  ],
  [
    "committing, conflicted",
    observed({ weights: { v3: 100 } }),
    "a later run came and went",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  ["committing, conflicted", failed, "nothing can be seen and it is not ours", "unsettled", "", "rollbackFailed"],

  ["restoring", done, "restored", "verifyingStable", "verify stable", "trafficRestored"],
  ["restoring", failed, "the marker stays", "unsettled", "", "rollbackFailed"],
  ["restoring", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  ["restoring a first release", done, "nothing is left", "rolledBack", "", "trafficRestored", "rolledBack"],
  [
    "verifying stable",
    passed,
    "clients may still hold connections",
    "disconnecting",
    "disconnect new",
    "stableVerified",
  ],
  [
    "verifying stable",
    notPassed,
    "clients may still hold connections",
    "disconnecting",
    "disconnect new",
    "stableVerified",
  ],
  [
    "verifying stable",
    failed,
    "clients may still hold connections",
    "disconnecting",
    "disconnect new",
    "stableVerified",
  ],
  ["verifying stable", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  [
    "verifying stable before any shift",
    passed,
    "nobody came to the candidate",
    "releasing",
    "release",
    "stableVerified",
  ],
  [
    "verifying stable that is the candidate",
    passed,
    "its connections are right",
    "releasing",
    "release",
    "stableVerified",
  ],
  ["disconnecting", done, "ended", "releasing", "release", "connectionsEnded"],
  ["disconnecting", failed, "not ended, and told", "releasing", "release", "connectionsEnded"],
  ["releasing", done, "as it was", "rolledBack", "", "rolledBack"],
  ["releasing", conflicted, "a later run has it", "rolledBack", "", "rolledBack"],
  ["releasing", failed, "the marker may be gone: look", "releasing", "observe"],
  ["releasing a first release", done, "nothing is left", "rolledBack", "", "rolledBack"],
  ["releasing, in doubt", observed(), "it was written after all", "rolledBack", "", "routerObserved", "rolledBack"],
  [
    "releasing, in doubt",
    observed({ marker }),
    "the marker stays",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  ["releasing, in doubt", failed, "nothing can be seen", "unsettled", "", "rollbackFailed"],

  ["committed", failed, "it is over", "committed", ""],
  ["rolledBack", done, "it is over", "rolledBack", ""],
  ["refused", interrupted, "it is over", "refused", ""],
  ["unsettled", passed, "it is over", "unsettled", ""],
];

function nameOfEvent(event: CutoverEvent): string {
  return event.kind === "verified" && !event.passed ? "not verified" : event.kind;
}

function nameOfAction({ action }: Transition): string {
  if (!action) return "";
  switch (action.kind) {
    case "verify":
      return `verify ${action.target}${action.holdMs === undefined ? "" : " while holding"}`;
    case "restore":
      return action.origin ? "restore" : "restore nothing";
    case "disconnect":
      return `disconnect ${action.version}`;
    default:
      return action.kind;
  }
}

describe("the transaction", () => {
  const rows = table.map(([name, event, meaning, phase, action, ...facts]) => ({
    name,
    event,
    happens: nameOfEvent(event),
    meaning,
    phase,
    action,
    then: action || "nothing",
    facts,
  }));
  it.each(rows)("$name, $happens ($meaning): $phase, then $then", ({ name, event, phase, action, facts }) => {
    const transition = next(states[name], event, nowMs);
    expect({
      phase: transition.state.phase,
      action: nameOfAction(transition),
      facts: transition.facts.map(({ kind }) => kind),
    }).toEqual({ phase, action, facts });
  });

  it("is in the table with every one of its states", () => {
    expect(new Set(table.map(([name]) => name))).toEqual(new Set(Object.keys(states)));
  });

  const events: Readonly<Record<CutoverEvent["kind"], readonly CutoverEvent[]>> = {
    started: [started],
    observed: [
      observed(),
      observed({ marker: theirs }),
      observed({ marker }),
      observed({ exists: false, weights: {} }),
    ],
    done: [done],
    verified: [passed, notPassed],
    failed: [failed],
    conflicted: [conflicted],
    interrupted: [interrupted],
  };
  const over = ["committed", "rolledBack", "refused", "unsettled"];

  it.each(Object.entries(states))("%s goes on or is over, whatever comes", (_name, state) => {
    for (const event of Object.values(events).flat()) {
      const { state: after, action } = next(state, event, nowMs);
      expect(over.includes(after.phase), nameOfEvent(event)).toBe(action === undefined);
    }
  });
});

/*
 * A crash leaves the marker as it was last written and traffic where the last write put it. The next run must be able to put
 * things right from the router alone.
 */
describe("a crash", () => {
  const crashes: readonly (readonly [StateName, Partial<RouterObservation>, CutoverState["phase"]])[] = [
    ["observing", {}, "claiming"],
    ["claiming", {}, "claiming"],
    ["claiming", { marker }, "claiming"],
    ["claiming what was abandoned", { weights: { new: 100 }, marker: theirs }, "claiming"],
    ["claiming what was abandoned", { weights: { new: 100 }, marker: { ...marker, fencing: 4 } }, "claiming"],
    ["settling, restoring", { weights: { new: 100 }, marker }, "claiming"],
    ["settling, verifying", { marker }, "claiming"],
    ["stepping: verify the candidate", { marker }, "claiming"],
    ["stepping: shift", { marker: { ...marker, step: 1 } }, "claiming"],
    ["stepping: shift", { weights: { new: 100 }, marker: { ...marker, step: 1 } }, "claiming"],
    ["stepping: hold", { weights: { new: 100 }, marker: { ...marker, step: 3 } }, "claiming"],
    ["committing", { weights: { new: 100 }, marker: { ...marker, step: 3 } }, "claiming"],
    ["committing", { weights: { new: 100 } }, "claiming"],
    ["restoring", { weights: { new: 100 }, marker: { ...marker, step: 2 } }, "claiming"],
    ["verifying stable", { marker: { ...marker, step: 2 } }, "claiming"],
    ["disconnecting", { marker: { ...marker, step: 2 } }, "claiming"],
    ["releasing", { marker }, "claiming"],
    ["releasing", {}, "claiming"],
  ];

  it.each(crashes)("while %s, which leaves %j, is found by the next run", (_state, left, phase) => {
    const nextRun = transactionOf({ id: "next", candidate: "newer" });
    const found = next(beginCutover(nextRun), observed(left), nowMs);
    expect(found.state.phase).toBe(phase);

    const begun = next(found.state, done, nowMs);
    if (left.marker) {
      // The origin is the one before the crashed run, never what the crash left.
      expect(begun.action).toMatchObject({
        kind: "restore",
        origin: { weights: { old: 100 } },
        marker: { fencing: left.marker.fencing + 1 },
      });
    } else {
      expect(begun.action).toMatchObject({ kind: "verify", target: "candidate" });
      expect(begun.state).toMatchObject({ marker: { origin: { weights: left.weights ?? { old: 100 } } } });
    }
  });
});

describe("a claim", () => {
  it("remembers the origin, the candidate, the owner and the lease", () => {
    const { action } = next(states.observing, observed(), nowMs);
    expect(action).toEqual({ kind: "claim", expects: null, marker });
  });

  it("of a first release remembers that there was nothing", () => {
    const { action } = next(states.observing, observed({ exists: false, weights: {}, shape: "" }), nowMs);
    expect(action).toMatchObject({ marker: { origin: null } });
  });

  it("of what was abandoned keeps its origin and raises its fencing number", () => {
    const { action } = next(states.observing, observed({ weights: { new: 70, old: 30 }, marker: theirs }), nowMs);
    expect(action).toMatchObject({
      kind: "claim",
      expects: theirs,
      marker: { transaction: "ours", origin, fencing: 4, step: 0 },
    });
  });
});

describe("what a step does", () => {
  it("the candidate is asked for itself, the service for what its weights should be", () => {
    expect(next(states.claiming, done, nowMs).action).toMatchObject({ target: "candidate", expected: { new: 100 } });
    expect(next(states["stepping: shift"], done, nowMs).action).toMatchObject({
      target: "service",
      expected: { new: 100 },
    });
    expect(next(states.restoring, done, nowMs).action).toMatchObject({ target: "stable", expected: { old: 100 } });
  });

  it("a shift by parts leaves the rest to the origin", () => {
    const parts: Plan = {
      ...planOf("direct"),
      steps: [
        { kind: "shift", weightPercent: 20 },
        { kind: "hold", durationMs: 7 },
      ],
    };
    const claiming: CutoverState = { phase: "claiming", transaction: { ...transaction, plan: parts }, marker };
    const shifting = next(claiming, done, nowMs);
    expect(shifting.action).toMatchObject({ kind: "shift", weights: { new: 20, old: 80 } });
    const holding = next(shifting.state, done, nowMs);
    expect(holding.action).toEqual({ kind: "verify", target: "service", expected: { new: 20, old: 80 }, holdMs: 7 });
    const committing = next(holding.state, passed, nowMs);
    expect(next(committing.state, done, nowMs).state).toMatchObject({
      phase: "committed",
      weights: { new: 20, old: 80 },
    });
  });

  it("the marker names the step that was last begun", () => {
    const after = next(states["stepping: verify the candidate"], passed, nowMs);
    expect(after.action).toMatchObject({ kind: "shift", marker: { step: 1 } });
  });

  it("direct shifts at once", () => {
    expect(next({ phase: "claiming", transaction: direct, marker }, done, nowMs).action).toMatchObject({
      kind: "shift",
      weights: { new: 100 },
    });
  });
});

describe("the reason of an end", () => {
  const endOf = (name: StateName, event: CutoverEvent) => next(states[name], event, nowMs).state;

  it("names the first run, its owner and what to do when two run at once", () => {
    expect(endOf("observing", observed({ marker: theirs }, false))).toMatchObject({
      reason: {
        code: "concurrent-run",
        message:
          "Another run is moving traffic: transaction theirs of process 9 on there, towards new. Wait for it to end, then deploy again.",
      },
    });
  });

  it("names the window when it is closed", () => {
    expect(endOf("observing out of its window", observed())).toMatchObject({
      reason: {
        code: "window-closed",
        message:
          "The change window is closed: it is open from 2026-11-24T22:00 to 2026-11-24T23:00 (Etc/UTC). Deploy within it, or have another window approved.",
      },
    });
  });

  it.each<[string, CutoverEvent, Reason]>([
    ["a verification", notPassed, { code: "verification-failed", message: "http /health: measured 503" }],
    ["the router", failed, { code: "router-failed", message: "the API server said no" }],
    ["an interruption", interrupted, { code: "owner-lost", message: "pulumi is gone" }],
  ])("is that of the failure: %s", (_name, event, expected) => {
    expect(endOf("stepping: verify the service", event)).toMatchObject({ phase: "restoring", reason: expected });
  });

  it("stays that of the first failure when going back fails too, which is the cause", () => {
    expect(endOf("restoring", failed)).toMatchObject({ phase: "unsettled", reason, cause: "the API server said no" });
  });

  it("tells whether stable passed", () => {
    const disconnecting = next(states["verifying stable"], notPassed, nowMs);
    const releasing = next(disconnecting.state, done, nowMs);
    expect(next(releasing.state, done, nowMs).state).toMatchObject({
      phase: "rolledBack",
      stableVerified: false,
      weights: { old: 100 },
    });
  });
});

it("a marker that names a step the plan does not have is a defect and not passed over", () => {
  const beyond: CutoverState = { phase: "stepping", transaction, marker: { ...marker, step: 9 } };
  expect(() => next(beyond, passed, nowMs)).toThrow("The plan has no step 9; it has 4.");
});
