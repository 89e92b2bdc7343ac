import { describe, expect, it } from "vitest";
import type { JournalFact } from "../journal/fact.ts";
import type { Plan } from "../plan/plan.ts";
import { digestBefore, type Rest } from "../plan/rest.ts";
import type { Step } from "../plan/step.ts";
import { planOf } from "../plan/strategies.ts";
import type { Marker } from "./marker.ts";
import { beginCutover, next, type Transition } from "./next.ts";
import type { Claimed, CutoverEvent, CutoverState, Reason, RouterObservation, Transaction } from "./state.ts";

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
const alreadyOver = { start: "2026-11-24T10:00", end: "2026-11-24T11:00", timeZone: "Etc/UTC" };

/** A plan with every kind of step. */
const staged: Plan = {
  strategy: "parallel",
  deadlineMs: 600_000,
  propagationLimitMs: 10_000,
  readOnlyLimitMs: 8_000,
  steps: [
    { kind: "scale", size: { percent: 20 } },
    { kind: "verify", target: "candidate" },
    { kind: "route", matches: [{ header: "x-beta", exact: "yes" }] },
    { kind: "mirror", percent: 30 },
    { kind: "shift", weightPercent: 20 },
    { kind: "soak", durationMs: 1_000 },
    { kind: "experiment", durationMs: 2_000, probes: ["http /"] },
    { kind: "hook", name: "start sync", limitMs: 60_000, undo: "stop sync" },
    { kind: "pause", name: "look", isApproved: false },
    { kind: "hook", name: "stop writes", limitMs: 5_000, undo: "allow writes", startsReadOnly: true },
    { kind: "shift", weightPercent: 100 },
    { kind: "verify", target: "service" },
    { kind: "hold", durationMs: 3_000 },
  ],
};
const at = (kind: Step["kind"], from = 0) =>
  staged.steps.findIndex((step, index) => step.kind === kind && index >= from);
const isAt = { pause: at("pause"), stopWrites: at("hook", at("pause")), promotion: at("shift", at("pause")) };
const stagedTransaction = transactionOf({ plan: staged, stable: "old" });
const approved: Plan = {
  ...staged,
  steps: staged.steps.map((step) => (step.kind === "pause" ? { ...step, isApproved: true } : step)),
};
const approvedTransaction = transactionOf({ plan: approved, stable: "old" });
const rest: Rest = {
  candidate: "new",
  pause: "look",
  origin: { old: 100 },
  taken: digestBefore(staged, isAt.pause),
  undo: ["stop sync"],
};
const resting = { weights: { new: 20, old: 80 }, memory: { history: ["old"], rest } };
const restOrigin = { ...origin, leavesRest: true } as const;
const lastedMs = 1_500;
const readOnly = { sinceMs: nowMs - lastedMs, undoBefore: 1 };

/** What each state after the claim carries on. */
const claimed = (change: Partial<Marker> = {}, of: Transaction = transaction, plan: Plan = of.plan): Claimed => ({
  transaction: of,
  plan,
  marker: { ...marker, ...change },
  history: ["old"],
});
const inStep = (step: number, change: Partial<Marker> = {}) =>
  ({ phase: "stepping", ...claimed({ step, ...change }, stagedTransaction) }) as const;
const begins = { firstStep: 0 } as const;
const abandoned = { kind: "abandoned", transaction: "theirs", connected: ["new"] } as const;
const givenUp = { kind: "pause", pause: "look", candidate: "new", connected: ["new"] } as const;
const found = { weights: { old: 100 } } as const;
const third = transactionOf({ candidate: "newer", stable: "old" });
const promoted = { history: ["new", "old"] };

/** Each state that a transaction can be in, by the name that the table uses. */
const states = {
  observing: beginCutover(transaction),
  "observing out of its window": beginCutover(closed),
  "observing with pauses": beginCutover(stagedTransaction),
  claiming: { phase: "claiming", ...claimed(), ...begins, found },
  "claiming for a first release": {
    phase: "claiming",
    ...claimed({ origin: null }),
    ...begins,
    found: { weights: null },
  },
  "claiming what was abandoned": {
    phase: "claiming",
    ...claimed({ fencing: 4 }),
    ...begins,
    found,
    settles: abandoned,
  },
  "claiming what rests": {
    phase: "claiming",
    ...claimed({ origin: restOrigin, undo: ["stop sync"] }, third),
    ...begins,
    found: { weights: resting.weights, restingAt: "look" },
    settles: givenUp,
  },
  "settling, restoring": { phase: "settling", ...claimed(), ...begins, settles: abandoned, stage: "restore" },
  "settling a first release": {
    phase: "settling",
    ...claimed({ origin: null }),
    ...begins,
    settles: abandoned,
    stage: "restore",
  },
  "settling with hooks, restoring": {
    phase: "settling",
    ...claimed({ undo: ["allow writes", "stop sync"], readOnly }),
    ...begins,
    settles: abandoned,
    stage: "restore",
  },
  "settling, disconnecting": {
    phase: "settling",
    ...claimed({ undo: ["allow writes", "stop sync"], readOnly }),
    ...begins,
    settles: abandoned,
    stage: "disconnect",
  },
  "settling, taking hooks back": {
    phase: "settling",
    ...claimed({ undo: ["allow writes", "stop sync"], readOnly }),
    ...begins,
    settles: { ...abandoned, connected: [] },
    stage: "undo",
  },
  "settling, taking the last hook back": {
    phase: "settling",
    ...claimed({ undo: ["stop sync"] }),
    ...begins,
    settles: { ...abandoned, connected: [] },
    stage: "undo",
  },
  "settling, verifying": { phase: "settling", ...claimed(), ...begins, settles: abandoned, stage: "verify" },
  "settling out of its window": {
    phase: "settling",
    ...claimed({}, closed),
    ...begins,
    settles: abandoned,
    stage: "verify",
  },
  "settling for a plan that may not begin": {
    phase: "settling",
    ...claimed({}, transactionOf({ plan: staged })),
    ...begins,
    settles: abandoned,
    stage: "verify",
  },
  "giving a pause up": {
    phase: "settling",
    ...claimed({ origin: restOrigin, undo: ["stop sync"], givenUp: "new" }, third),
    ...begins,
    settles: givenUp,
    stage: "restore",
  },
  "stepping: verify the candidate": { phase: "stepping", ...claimed() },
  "stepping: shift": { phase: "stepping", ...claimed({ step: 1 }) },
  "stepping: verify the service": { phase: "stepping", ...claimed({ step: 2 }) },
  "stepping: hold": { phase: "stepping", ...claimed({ step: 3 }) },
  "stepping out of its window": { phase: "stepping", ...claimed({}, closed) },
  "stepping: scale": inStep(at("scale")),
  "stepping: route": inStep(at("route")),
  "stepping: mirror": inStep(at("mirror")),
  "stepping: soak": inStep(at("soak")),
  "stepping: experiment": inStep(at("experiment")),
  "stepping: hook": inStep(at("hook"), { undo: ["stop sync"] }),
  "stepping: read-only hook": inStep(isAt.stopWrites, { undo: ["allow writes", "stop sync"], readOnly }),
  "stepping: shift that ends the read-only moment": inStep(isAt.promotion, {
    undo: ["allow writes", "stop sync"],
    readOnly,
  }),
  "stepping: shift that comes too late": inStep(isAt.promotion, {
    undo: ["allow writes", "stop sync"],
    readOnly: { ...readOnly, sinceMs: nowMs - 8_001 },
  }),
  "stepping: read-only hook that took too long": inStep(isAt.stopWrites, {
    undo: ["allow writes", "stop sync"],
    readOnly: { ...readOnly, sinceMs: nowMs - 8_001 },
  }),
  "stepping to an approved pause": {
    phase: "stepping",
    ...claimed({ step: at("hook"), undo: ["stop sync"] }, approvedTransaction),
  },
  committing: { phase: "committing", ...claimed({ step: 3 }), memory: promoted },
  "committing, in doubt": {
    phase: "committing",
    ...claimed({ step: 3 }),
    memory: promoted,
    doubt: { reason: { code: "router-failed", message: "the answer was lost" }, isConflict: false },
  },
  "committing, conflicted": {
    phase: "committing",
    ...claimed({ step: 3 }),
    memory: promoted,
    doubt: { reason: { code: "taken-over", message: "not ours" }, isConflict: true },
  },
  "committing at a pause": {
    phase: "committing",
    ...claimed({ step: isAt.pause, undo: ["stop sync"] }, stagedTransaction),
    memory: { history: ["old"], rest },
  },
  "committing at a pause, in doubt": {
    phase: "committing",
    ...claimed({ step: isAt.pause, undo: ["stop sync"] }, stagedTransaction),
    memory: { history: ["old"], rest },
    doubt: { reason: { code: "router-failed", message: "the answer was lost" }, isConflict: false },
  },
  restoring: { phase: "restoring", ...claimed({ step: 2 }), reason },
  "restoring a first release": { phase: "restoring", ...claimed({ origin: null, step: 2 }), reason },
  "restoring with hooks": {
    phase: "restoring",
    ...claimed({ step: isAt.promotion, undo: ["allow writes", "stop sync"], readOnly }, stagedTransaction),
    reason,
  },
  "restoring with hooks to the candidate itself": {
    phase: "restoring",
    ...claimed({ step: 2, undo: ["stop sync"], origin: { weights: { new: 100 }, shape: "" } }),
    reason,
  },
  "undoing, disconnecting": {
    phase: "undoing",
    ...claimed({ step: isAt.promotion, undo: ["allow writes", "stop sync"], readOnly }, stagedTransaction),
    reason,
    stage: "disconnect",
  },
  "undoing hooks": {
    phase: "undoing",
    ...claimed({ step: isAt.promotion, undo: ["allow writes", "stop sync"], readOnly }, stagedTransaction),
    reason,
    stage: "hooks",
  },
  "undoing the last hook": {
    phase: "undoing",
    ...claimed({ step: isAt.promotion, undo: ["stop sync"] }, stagedTransaction),
    reason,
    stage: "hooks",
  },
  "verifying stable": { phase: "verifyingStable", ...claimed({ step: 2 }), reason, isDisconnected: false },
  "verifying stable before any shift": { phase: "verifyingStable", ...claimed(), reason, isDisconnected: false },
  "verifying stable that is the candidate": {
    phase: "verifyingStable",
    ...claimed({ step: 2, origin: { weights: { new: 100 }, shape: "" } }),
    reason,
    isDisconnected: false,
  },
  "verifying stable after its hooks": {
    phase: "verifyingStable",
    ...claimed({ step: 2 }),
    reason,
    isDisconnected: true,
  },
  disconnecting: { phase: "disconnecting", ...claimed({ step: 2 }), reason, stableVerified: true },
  releasing: { phase: "releasing", ...claimed(), reason, stableVerified: true, left: found },
  "releasing a first release": {
    phase: "releasing",
    ...claimed({ origin: null }),
    reason,
    stableVerified: true,
    left: { weights: null },
  },
  "releasing, in doubt": {
    phase: "releasing",
    ...claimed(),
    reason,
    stableVerified: true,
    left: found,
    doubt: { reason: { code: "router-failed", message: "the answer was lost" }, isConflict: false },
  },
  committed: { phase: "committed", transaction, weights: { new: 100 }, memory: promoted },
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

  ["observing with pauses", observed(), "a free router", "claiming", "claim", "routerObserved"],
  [
    "observing with pauses",
    observed({ weights: { other: 100 } }),
    "a version in service that nobody declares",
    "refused",
    "",
    "routerObserved",
    "refused",
  ],
  ["observing with pauses", observed(resting), "its own pause", "claiming", "claim", "routerObserved"],

  ["claiming", done, "the claim is written", "stepping", "verify candidate", "routerClaimed", "stepStarted"],
  ["claiming", conflicted, "another run was quicker", "refused", "", "refused"],
  ["claiming", failed, "it may have been written", "releasing", "release"],
  ["claiming", interrupted, "it may have been written", "releasing", "release"],
  ["claiming for a first release", failed, "the router may have been made", "releasing", "restore nothing"],
  ["claiming what was abandoned", done, "the claim is written", "settling", "restore", "routerClaimed"],
  ["claiming what was abandoned", conflicted, "another run was quicker", "refused", "", "refused"],
  ["claiming what was abandoned", failed, "the marker must stay", "unsettled", "", "rollbackFailed"],
  ["claiming what was abandoned", interrupted, "the marker must stay", "unsettled", "", "rollbackFailed"],
  ["claiming what rests", done, "the claim is written", "settling", "restore", "routerClaimed"],
  ["claiming what rests", conflicted, "another run was quicker", "refused", "", "refused"],
  ["claiming what rests", failed, "traffic still rests", "releasing", "release"],
  ["claiming what rests", interrupted, "traffic still rests", "releasing", "release"],

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
  [
    "settling for a plan that may not begin",
    passed,
    "it is settled, and no more",
    "releasing",
    "release",
    "stableVerified",
  ],
  [
    "settling with hooks, restoring",
    done,
    "clients may be connected to the candidate",
    "settling",
    "disconnect new",
    "abandonedTransactionSettled",
  ],
  ["settling, disconnecting", done, "the first hook", "settling", "hook allow writes", "connectionsEnded"],
  ["settling, disconnecting", failed, "not ended, and told", "settling", "hook allow writes", "connectionsEnded"],
  ["settling, disconnecting", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  ["settling, disconnecting", interrupted, "the marker stays", "unsettled", "", "rollbackFailed"],
  [
    "settling, taking hooks back",
    done,
    "everybody can write; the next hook",
    "settling",
    "hook stop sync",
    "hookRan",
    "readOnlyMoment",
  ],
  ["settling, taking hooks back", failed, "the marker stays", "unsettled", "", "rollbackFailed"],
  ["settling, taking hooks back", interrupted, "the marker stays", "unsettled", "", "rollbackFailed"],
  ["settling, taking the last hook back", done, "what serves", "settling", "verify stable", "hookRan"],
  ["giving a pause up", done, "clients may be connected to who rested", "settling", "disconnect new", "pauseGivenUp"],
  ["giving a pause up", failed, "the marker stays", "unsettled", "", "rollbackFailed"],

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

  ["stepping: scale", done, "the next step", "stepping", "verify candidate", "stepPassed", "stepStarted"],
  ["stepping: scale", failed, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: scale", interrupted, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: scale", passed, "an answer to another question: back", "restoring", "restore", "rollbackStarted"],
  ["stepping: route", done, "the next step", "stepping", "shift", "trafficShifted", "stepStarted"],
  ["stepping: route", failed, "it may have been written: back", "restoring", "restore", "rollbackStarted"],
  ["stepping: mirror", done, "the next step", "stepping", "shift", "trafficShifted", "stepStarted"],
  ["stepping: mirror", failed, "it may have been written: back", "restoring", "restore", "rollbackStarted"],
  ["stepping: soak", passed, "the next step", "stepping", "experiment", "stepPassed", "stepStarted"],
  ["stepping: soak", notPassed, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: soak", interrupted, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: experiment", passed, "the next step", "stepping", "hook start sync", "stepPassed", "stepStarted"],
  ["stepping: experiment", notPassed, "back", "restoring", "restore", "rollbackStarted"],
  ["stepping: hook", done, "a pause that is not approved: the end", "committing", "release", "hookRan", "stepStarted"],
  ["stepping: hook", failed, "it may have done something: back", "restoring", "restore", "rollbackStarted"],
  ["stepping: hook", interrupted, "it may have done something: back", "restoring", "restore", "rollbackStarted"],
  ["stepping: hook", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  [
    "stepping to an approved pause",
    done,
    "it is passed",
    "stepping",
    "hook stop writes",
    "hookRan",
    "stepStarted",
    "stepStarted",
  ],
  ["stepping: read-only hook", done, "the next step", "stepping", "shift", "hookRan", "stepStarted"],
  [
    "stepping: read-only hook that took too long",
    done,
    "nobody could write for too long: back",
    "restoring",
    "restore",
    "hookRan",
    "rollbackStarted",
  ],
  [
    "stepping: shift that ends the read-only moment",
    done,
    "everybody can write",
    "stepping",
    "verify service",
    "trafficShifted",
    "readOnlyMoment",
    "stepStarted",
  ],
  [
    "stepping: shift that comes too late",
    done,
    "nobody could write for too long: back",
    "restoring",
    "restore",
    "trafficShifted",
    "readOnlyMoment",
    "rollbackStarted",
  ],

  ["committing", done, "committed", "committed", "", "committed"],
  ["committing at a pause", done, "committed", "committed", "", "committed"],
  ["committing at a pause", failed, "the marker may be gone: look", "committing", "observe"],
  [
    "committing at a pause, in doubt",
    observed(resting),
    "it was written after all",
    "committed",
    "",
    "routerObserved",
    "committed",
  ],
  [
    "committing at a pause, in doubt",
    observed({ ...resting, memory: { history: ["old"] } }),
    "a later run gave it up: weights alone do not tell",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  [
    "committing at a pause, in doubt",
    observed({ weights: resting.weights }),
    "nobody knows of a pause",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  [
    "committing, in doubt",
    observed({ weights: { new: 100 }, memory: { history: ["new", "other", "old"] } }),
    "a later run came and went",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
  [
    "committing at a pause, in doubt",
    observed({ weights: { new: 100 } }),
    "somebody else moved traffic",
    "unsettled",
    "",
    "routerObserved",
    "rollbackFailed",
  ],
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
  ["restoring with hooks", done, "clients may still hold connections", "undoing", "disconnect new", "trafficRestored"],
  [
    "restoring with hooks to the candidate itself",
    done,
    "its connections are right",
    "undoing",
    "hook stop sync",
    "trafficRestored",
  ],
  ["undoing, disconnecting", done, "the last hook first", "undoing", "hook allow writes", "connectionsEnded"],
  ["undoing, disconnecting", failed, "not ended, and told", "undoing", "hook allow writes", "connectionsEnded"],
  ["undoing, disconnecting", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  [
    "undoing hooks",
    done,
    "everybody can write; the one before",
    "undoing",
    "hook stop sync",
    "hookRan",
    "readOnlyMoment",
  ],
  ["undoing hooks", failed, "the marker stays", "unsettled", "", "rollbackFailed"],
  ["undoing hooks", conflicted, "a later run has it", "unsettled", "", "rollbackFailed"],
  ["undoing the last hook", done, "what serves", "verifyingStable", "verify stable", "hookRan"],
  ["verifying stable after its hooks", passed, "nobody is connected", "releasing", "release", "stableVerified"],
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
    case "hook":
      return `hook ${action.name}`;
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
    ["stepping: scale", { marker: { ...marker, step: at("scale") } }, "claiming"],
    ["stepping: route", { marker: { ...marker, step: at("route") } }, "claiming"],
    ["stepping: mirror", { marker: { ...marker, step: at("mirror") } }, "claiming"],
    ["stepping: soak", { weights: resting.weights, marker: { ...marker, step: at("soak") } }, "claiming"],
    ["stepping: experiment", { weights: resting.weights, marker: { ...marker, step: at("experiment") } }, "claiming"],
    ["committing at a pause", { weights: resting.weights, marker: { ...marker, step: isAt.pause } }, "claiming"],
    ["committing at a pause", resting, "claiming"],
    ["claiming what rests", resting, "claiming"],
    ["restoring", { weights: { new: 100 }, marker: { ...marker, step: 2 } }, "claiming"],
    ["verifying stable", { marker: { ...marker, step: 2 } }, "claiming"],
    ["verifying stable after its hooks", { marker: { ...marker, step: 2 } }, "claiming"],
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
    } else if (left.memory?.rest) {
      // A pause is left to where its candidate came from.
      expect(begun.action).toMatchObject({ kind: "restore", origin: { weights: { old: 100 } } });
    } else {
      expect(begun.action).toMatchObject({ kind: "verify", target: "candidate" });
      expect(begun.state).toMatchObject({ marker: { origin: { weights: left.weights ?? { old: 100 } } } });
    }
  });

  const hooks: readonly (readonly [StateName, Partial<RouterObservation>])[] = [
    ["stepping: hook", { weights: resting.weights, marker: { ...marker, undo: ["stop sync"] } }],
    [
      "stepping: read-only hook",
      { weights: resting.weights, marker: { ...marker, undo: ["allow writes", "stop sync"] } },
    ],
    [
      "stepping: shift that ends the read-only moment",
      { weights: { new: 100 }, marker: { ...marker, undo: ["allow writes", "stop sync"] } },
    ],
    ["restoring with hooks", { weights: { new: 100 }, marker: { ...marker, undo: ["allow writes", "stop sync"] } }],
    ["undoing hooks", { marker: { ...marker, undo: ["allow writes", "stop sync"] } }],
    ["undoing the last hook", { marker: { ...marker, undo: ["stop sync"] } }],
    ["settling with hooks, restoring", { marker: { ...marker, undo: ["stop sync"] } }],
    ["settling, taking the last hook back", { marker: { ...marker, undo: ["stop sync"] } }],
    ["giving a pause up", { weights: resting.weights, marker: { ...marker, undo: ["stop sync"], givenUp: "rested" } }],
  ];

  it.each(hooks)("while %s leaves hooks to be taken back, which the next run does before it begins", (_state, left) => {
    const nextRun = transactionOf({ id: "next", candidate: "newer" });
    let transition = next(beginCutover(nextRun), observed(left), nowMs);
    const taken: string[] = [];
    const disconnected: string[] = [];
    for (;;) {
      const { action } = transition;
      if (action?.kind === "hook") taken.push(action.name);
      if (action?.kind === "disconnect") disconnected.push(action.version);
      if (action?.kind === "verify") break;
      transition = next(transition.state, done, nowMs);
    }
    expect(taken).toEqual(left.marker?.undo);
    expect(disconnected).toEqual(left.marker?.givenUp === undefined ? ["new"] : ["rested", "new"]);
    expect(transition.state).toMatchObject({ phase: "settling", stage: "verify" });
    const begun = next(transition.state, passed, nowMs);
    expect(begun.action).toMatchObject({ kind: "verify", target: "candidate" });
    expect(begun.state).not.toHaveProperty("marker.undo");
  });
});

describe("a claim", () => {
  it("remembers the origin, the candidate, the owner and the lease", () => {
    const { action } = next(states.observing, observed(), nowMs);
    expect(action).toEqual({ kind: "claim", expects: { marker: null, weights: { old: 100 } }, marker });
  });

  it("of a first release remembers that there was nothing", () => {
    const { action } = next(states.observing, observed({ exists: false, weights: {}, shape: "" }), nowMs);
    expect(action).toMatchObject({ expects: { marker: null, weights: null }, marker: { origin: null } });
  });

  it("remembers that nobody answers for the origin", () => {
    const { action } = next(states.observing, observed({ served: false }), nowMs);
    expect(action).toMatchObject({ marker: { origin: { served: false } } });
  });

  it("of what was abandoned keeps its origin and raises its fencing number", () => {
    const { action } = next(states.observing, observed({ weights: { new: 70, old: 30 }, marker: theirs }), nowMs);
    expect(action).toMatchObject({
      kind: "claim",
      expects: { marker: theirs, weights: { new: 70, old: 30 } },
      marker: { transaction: "ours", origin, fencing: 4, step: 0 },
    });
  });

  it("of what was abandoned takes over its hooks, its read-only moment and whose pause it gave up", () => {
    const left = { ...theirs, undo: ["allow writes", "stop sync"], readOnly, givenUp: "rested" };
    expect(next(states.observing, observed({ marker: left }), nowMs).action).toMatchObject({
      marker: { undo: ["allow writes", "stop sync"], readOnly, givenUp: "rested" },
    });
  });

  it("of what rests goes back to where its candidate came from, and takes over its hooks", () => {
    const { action } = next(states["observing with pauses"], observed(resting), nowMs);
    expect(action).toMatchObject({
      expects: { marker: null, weights: { new: 20, old: 80 }, rest },
      marker: { origin: restOrigin, undo: ["stop sync"], step: isAt.pause },
    });
    expect(action).not.toHaveProperty("marker.givenUp");
  });

  it("of a pause that is given up remembers whose it is", () => {
    const { action } = next(beginCutover(third), observed(resting), nowMs);
    expect(action).toMatchObject({ marker: { origin: restOrigin, undo: ["stop sync"], givenUp: "new" } });
  });

  it("that may have been written without a shift behind it says that everything is as it was found", () => {
    const releasing = next(states["claiming what rests"], failed, nowMs);
    expect(next(releasing.state, done, nowMs).state).toMatchObject({
      phase: "rolledBack",
      weights: { new: 20, old: 80 },
      restingAt: "look",
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
    const shifting = next({ ...states.claiming, plan: parts }, done, nowMs);
    expect(shifting.action).toMatchObject({ kind: "shift", traffic: { weights: { new: 20, old: 80 } } });
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
    expect(next({ ...states.claiming, plan: direct.plan }, done, nowMs).action).toMatchObject({
      kind: "shift",
      traffic: { weights: { new: 100 } },
    });
  });

  const begun = (step: number) =>
    next({ ...states.claiming, ...claimed({}, stagedTransaction), firstStep: step }, done, nowMs);

  it("a size is asked of the workload", () => {
    expect(begun(at("scale")).action).toEqual({
      kind: "scale",
      marker: { ...marker, step: at("scale") },
      version: "new",
      size: { percent: 20 },
    });
  });

  it("rules and copies go on from step to step, and end when the candidate has everything", () => {
    const rules = { matches: [{ header: "x-beta", exact: "yes" }] };
    expect(begun(at("route")).action).toMatchObject({ traffic: { weights: { old: 100 }, ...rules } });
    expect(begun(at("mirror")).action).toMatchObject({
      traffic: { weights: { old: 100 }, ...rules, mirrorPercent: 30 },
    });
    expect(begun(at("shift")).action).toMatchObject({
      traffic: { weights: { new: 20, old: 80 }, ...rules, mirrorPercent: 30 },
    });
    expect(begun(isAt.promotion).action).toMatchObject({ kind: "shift", traffic: { weights: { new: 100 } } });
    expect(begun(isAt.promotion).action).not.toHaveProperty("traffic.matches");
    expect(begun(isAt.promotion).action).not.toHaveProperty("traffic.mirrorPercent");
  });

  it("a candidate that only gets matching requests may answer, but is not expected to", () => {
    const steps: Step[] = [
      { kind: "route", matches: [{ cookie: "beta", prefix: "y" }] },
      { kind: "verify", target: "service" },
    ];
    const routing = next({ ...states.claiming, plan: { ...staged, steps } }, done, nowMs);
    expect(next(routing.state, done, nowMs).action).toMatchObject({ expected: { old: 100, new: 0 } });
  });

  it("a soak keeps measuring, also how answers differ while requests are copied", () => {
    expect(begun(at("soak")).action).toEqual({
      kind: "verify",
      target: "service",
      expected: { new: 20, old: 80 },
      holdMs: 1_000,
      mirrored: true,
    });
    expect(begun(at("hold")).action).toEqual({
      kind: "verify",
      target: "service",
      expected: { new: 100 },
      holdMs: 3_000,
    });
  });

  it("an experiment compares the candidate with the version that has the most traffic beside it", () => {
    expect(begun(at("experiment")).action).toEqual({
      kind: "experiment",
      stable: "old",
      durationMs: 2_000,
      probes: ["http /"],
    });
    const three = { origin: { weights: { old: 30, older: 60, new: 10 }, shape: "" } };
    const compared = { ...states.claiming, ...claimed(three, stagedTransaction), firstStep: at("experiment") };
    expect(next(compared, done, nowMs).action).toMatchObject({ stable: "older" });
  });

  it("an experiment without anything to compare with fails", () => {
    const alone = { origin: { weights: { new: 100 }, shape: "" } };
    const { state } = next(
      { ...states.claiming, ...claimed(alone, stagedTransaction), firstStep: at("experiment") },
      done,
      nowMs,
    );
    expect(state).toMatchObject({ phase: "restoring", reason: { code: "verification-failed" } });
  });

  it("a verification asks the probes that it names", () => {
    const steps: Step[] = [{ kind: "verify", target: "service", probes: ["http /"] }];
    expect(next({ ...states.claiming, plan: { ...staged, steps } }, done, nowMs).action).toMatchObject({
      probes: ["http /"],
    });
  });

  it("what takes a hook back is written down before the hook runs, the last one first", () => {
    expect(begun(at("hook")).action).toMatchObject({
      kind: "hook",
      name: "start sync",
      limitMs: 60_000,
      marker: { undo: ["stop sync"] },
    });
    const second = next(states["stepping to an approved pause"], done, nowMs);
    expect(second.action).toMatchObject({
      kind: "hook",
      name: "stop writes",
      marker: { undo: ["allow writes", "stop sync"], readOnly: { sinceMs: nowMs, undoBefore: 1 } },
    });
  });

  it("a hook that nothing takes back leaves nothing to be done", () => {
    const steps: Step[] = [{ kind: "hook", name: "tell the team", limitMs: 1_000 }];
    const { action } = next({ ...states.claiming, plan: { ...staged, steps } }, done, nowMs);
    expect(action).toMatchObject({ kind: "hook", name: "tell the team" });
    expect(action).not.toHaveProperty("marker.undo");
  });
});

describe("a pause", () => {
  it("that is not approved ends the update well, and the router remembers all that the next one needs", () => {
    const { action, state } = next(states["stepping: hook"], done, nowMs);
    expect(action).toMatchObject({ kind: "release", memory: { history: ["old"], rest } });
    expect(next(state, done, nowMs)).toMatchObject({
      state: { phase: "committed", weights: { new: 20, old: 80 }, memory: { history: ["old"], rest } },
      facts: [{ kind: "committed", weights: { new: 20, old: 80 }, restingAt: "look" }],
    });
  });

  it("is gone on from when it is approved, after what rests there was written and verified again", () => {
    const claiming = next(beginCutover(approvedTransaction), observed(resting), nowMs);
    let transition = next(claiming.state, done, nowMs);
    expect(transition.facts).toMatchObject([
      { kind: "routerClaimed" },
      { kind: "planAdapted", note: 'goes on from the pause "look", where the last update ended' },
      { kind: "stepStarted" },
    ]);
    const actions: string[] = [];
    while (transition.action && actions.length < 20) {
      actions.push(nameOfAction(transition));
      const isMeasuring = transition.action.kind === "verify" || transition.action.kind === "experiment";
      transition = next(transition.state, isMeasuring ? passed : done, nowMs);
    }
    expect(actions).toEqual([
      "scale",
      "shift",
      "verify service",
      "hook stop writes",
      "shift",
      "verify service",
      "verify service while holding",
      "release",
    ]);
    expect(transition.state).toMatchObject({ phase: "committed", memory: { history: ["new", "old"] } });
    expect(transition.state).not.toHaveProperty("memory.rest");
  });

  it("that an update still ends at is written again as it is declared now", () => {
    const claiming = next(states["observing with pauses"], observed(resting), nowMs);
    let transition = next(claiming.state, done, nowMs);
    const shifts: unknown[] = [];
    while (transition.action) {
      if (transition.action.kind === "shift") shifts.push(transition.action.traffic.weights);
      transition = next(transition.state, transition.action.kind === "verify" ? passed : done, nowMs);
    }
    expect(shifts).toEqual([{ new: 20, old: 80 }]);
    expect(transition.state).toMatchObject({ phase: "committed", memory: { rest } });
  });

  it("is not gone back to: a rollback goes to where traffic came from, and takes back the hooks of earlier updates too", () => {
    const claiming = next(beginCutover(approvedTransaction), observed(resting), nowMs);
    const scaling = next(claiming.state, done, nowMs);
    const restoring = next(scaling.state, failed, nowMs);
    expect(restoring.action).toMatchObject({ kind: "restore", origin: restOrigin });
    const disconnecting = next(restoring.state, done, nowMs);
    expect(nameOfAction(disconnecting)).toBe("disconnect new");
    const undoing = next(disconnecting.state, done, nowMs);
    expect(nameOfAction(undoing)).toBe("hook stop sync");
    const verifying = next(undoing.state, done, nowMs);
    const releasing = next(verifying.state, passed, nowMs);
    const over = next(releasing.state, done, nowMs);
    expect(over.state).toMatchObject({ phase: "rolledBack", weights: { old: 100 }, stableVerified: true });
    expect(over.state).not.toHaveProperty("restingAt");
  });

  it("is given up first when another version comes: traffic, then connections, then hooks, then the proof that all is well", () => {
    const claiming = next(beginCutover(third), observed(resting), nowMs);
    let transition = next(claiming.state, done, nowMs);
    const actions: string[] = [];
    while (transition.state.phase === "settling") {
      actions.push(nameOfAction(transition));
      transition = next(transition.state, transition.action?.kind === "verify" ? passed : done, nowMs);
    }
    expect(actions).toEqual(["restore", "disconnect new", "hook stop sync", "verify stable"]);
    expect(transition).toMatchObject({
      state: { phase: "stepping", marker: { origin: { weights: { old: 100 } } } },
      action: { kind: "verify", target: "candidate" },
    });
    expect(transition.state).not.toHaveProperty("marker.givenUp");
    expect(transition.state).not.toHaveProperty("marker.undo");
  });

  it("is given up by declaring the version in service again: it has all traffic, and keeps it", () => {
    const back = transactionOf({ candidate: "old", plan: staged });
    const claiming = next(beginCutover(back), observed(resting), nowMs);
    let transition = next(claiming.state, done, nowMs);
    const shifts: unknown[] = [];
    while (transition.action) {
      if (transition.action.kind === "shift") shifts.push(transition.action.traffic.weights);
      transition = next(transition.state, transition.action.kind === "verify" ? passed : done, nowMs);
    }
    expect(shifts).toEqual([{ old: 100 }]);
    expect(transition.state).toMatchObject({ phase: "committed", weights: { old: 100 }, memory: { history: ["old"] } });
  });

  it("of a version in service that is not declared is refused before anything is touched", () => {
    const { state } = next(beginCutover(transactionOf({ plan: staged })), observed(), nowMs);
    expect(state).toMatchObject({
      phase: "refused",
      reason: {
        code: "stable-not-declared",
        message:
          'The plan pauses at "look", and old 100 % is in service but not declared as stable, so it would be deleted with traffic on it. Declare it as stable, or approve the pause.',
      },
    });
  });

  it("several of which are approved at once may make an update that lasts too long, which is refused", () => {
    const long: Plan = { ...approved, runBudgetMs: 5_000 };
    const { state } = next(beginCutover(transactionOf({ plan: long, stable: "old" })), observed(), nowMs);
    expect(state).toMatchObject({
      phase: "refused",
      reason: {
        code: "budget-exceeded",
        message:
          "The steps of this update last 6 s on purpose, more than runBudgetMs = 5000. Approve one pause at a time, or raise runBudgetMs if your pipeline runs that long.",
      },
    });
    const fromPause = next(beginCutover(transactionOf({ plan: long, stable: "old" })), observed(resting), nowMs);
    expect(fromPause.state.phase).toBe("claiming");
  });
});

describe("the read-only moment", () => {
  const readOnlyFacts = (transition: Transition) => transition.facts.filter(({ kind }) => kind === "readOnlyMoment");

  it("ends with the shift, and its length is written down", () => {
    const after = next(states["stepping: shift that ends the read-only moment"], done, nowMs);
    expect(readOnlyFacts(after)).toEqual([{ kind: "readOnlyMoment", durationMs: lastedMs }]);
    expect(after.state).not.toHaveProperty("marker.readOnly");
    expect(after.state).toMatchObject({ marker: { undo: ["allow writes", "stop sync"] } });
  });

  it("is not ended by a rule for requests, nor by copies", () => {
    for (const state of [states["stepping: route"], states["stepping: mirror"]]) {
      const after = next({ ...state, marker: { ...state.marker, readOnly } }, done, nowMs);
      expect(readOnlyFacts(after)).toEqual([]);
      expect(after.state).toMatchObject({ marker: { readOnly } });
    }
  });

  it("ends in a rollback when the hook that lets people write has run, and not with the hooks before it", () => {
    const three = { undo: ["stop queue", "allow writes", "stop sync"], readOnly };
    const undoing = { ...states["undoing hooks"], marker: { ...states["undoing hooks"].marker, ...three } };
    const first = next(undoing, done, nowMs);
    expect(readOnlyFacts(first)).toEqual([]);
    const second = next(first.state, done, nowMs + 500);
    expect(readOnlyFacts(second)).toEqual([{ kind: "readOnlyMoment", durationMs: lastedMs + 500 }]);
    expect(second.state).not.toHaveProperty("marker.readOnly");
    expect(readOnlyFacts(next(second.state, done, nowMs + 900))).toEqual([]);
  });

  it("that was too long is told in milliseconds, with the remedy", () => {
    expect(next(states["stepping: shift that comes too late"], done, nowMs).state).toMatchObject({
      phase: "restoring",
      reason: {
        code: "read-only-too-long",
        message:
          "Nobody could write for 8001 ms, more than readOnlyLimitMs = 8000. Make the last synchronisation shorter, or raise the limit",
      },
    });
  });

  it("of exactly its limit is not too long", () => {
    const state = states["stepping: shift that comes too late"];
    expect(next(state, done, nowMs - 1).state.phase).toBe("stepping");
  });

  it("that is over its limit is not followed by a shift any more", () => {
    const state = states["stepping: read-only hook that took too long"];
    const { action, state: after } = next(state, done, nowMs);
    expect(action).toMatchObject({ kind: "restore" });
    expect(after).toMatchObject({ marker: { undo: ["allow writes", "stop sync"] } });
  });
});

describe("a window that closes", () => {
  const closing: Plan = { ...staged, window: alreadyOver };
  const inStepOf = (step: number): CutoverState => ({
    ...inStep(step),
    plan: closing,
    transaction: { ...stagedTransaction, plan: closing },
  });

  it.each([
    ["a weight", at("mirror")],
    ["a rule for requests", at("verify")],
    ["copies of requests", at("route")],
    ["a hook", at("experiment")],
  ])("before %s rolls back, and what was not begun is not taken back", (_what, step) => {
    const isMeasuring = ["verify", "experiment"].includes(staged.steps[step]?.kind ?? "");
    const { state, action } = next(inStepOf(step), isMeasuring ? passed : done, nowMs);
    expect(state).toMatchObject({ phase: "restoring", reason: { code: "window-closed" }, marker: { step } });
    expect(action).toMatchObject({ kind: "restore" });
    expect(state).not.toHaveProperty("marker.undo");
  });

  it.each([
    ["a size", at("scale") - 1],
    ["a soak", at("shift")],
    ["an experiment", at("soak")],
  ])("before %s stops nothing, because no traffic moves there", (_what, step) => {
    if (step < 0) {
      const begun = next({ ...states.claiming, ...claimed({}, stagedTransaction), plan: closing }, done, nowMs);
      expect(begun.state.phase).toBe("stepping");
      return;
    }
    const isMeasuring = staged.steps[step]?.kind === "soak";
    expect(next(inStepOf(step), isMeasuring ? passed : done, nowMs).state.phase).toBe("stepping");
  });

  it("refuses to give a pause up, since that moves traffic", () => {
    const { state } = next(beginCutover({ ...third, plan: closing }), observed(resting), nowMs);
    expect(state).toMatchObject({ phase: "refused", reason: { code: "window-closed" } });
  });
});

describe("the history", () => {
  it("names what was promoted, the newest first, each once, and not more than ten", () => {
    const history = ["v11", "new", ...Array.from({ length: 9 }, (_, index) => `v${10 - index}`)];
    const { action } = next({ ...states["stepping: hold"], history }, passed, nowMs);
    expect(action).toMatchObject({
      kind: "release",
      memory: { history: ["new", "v11", "v10", "v9", "v8", "v7", "v6", "v5", "v4", "v3"] },
    });
  });

  it("is left as it is by a rollback", () => {
    expect(next(states["verifying stable before any shift"], passed, nowMs).action).toEqual({
      kind: "release",
      marker,
    });
  });

  it("decides over the fast track", () => {
    const fast = transactionOf({ plan: { ...staged, fastTrackChanges: 1 }, stable: "old" });
    const claiming = next(beginCutover(fast), observed({ memory: { history: ["old", "new"] } }), nowMs);
    expect(next(claiming.state, done, nowMs).facts).toMatchObject([
      { kind: "routerClaimed" },
      { kind: "planAdapted", note: "fast track: new was in service before the present version" },
      { kind: "stepStarted" },
    ]);
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

  it.each<[StateName, Reason["code"]]>([
    ["stepping: scale", "scale-failed"],
    ["stepping: hook", "hook-failed"],
    ["stepping: mirror", "router-failed"],
  ])("tells what failed: %s", (name, code) => {
    expect(endOf(name, failed)).toMatchObject({ reason: { code, message: "the API server said no" } });
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
  const beyond: CutoverState = { phase: "stepping", ...claimed({ step: 9 }) };
  expect(() => next(beyond, passed, nowMs)).toThrow("The plan has no step 9; it has 4.");
});
