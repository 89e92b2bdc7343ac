export {
  assess,
  countMeasurement,
  noMeasurements,
  type AnalysisCounters,
  type AnalysisLimits,
} from "./analysis/assess.ts";
export type { Measurement, Verdict } from "./analysis/measurement.ts";
export { canonicalJson } from "./canonical-json.ts";
export { changeSchema, environmentOf, environmentSchema, type Change, type Environment } from "./change.ts";
export { markerSchema, type Marker, type Origin, type Owner } from "./cutover/marker.ts";
export { beginCutover, next, type Transition } from "./cutover/next.ts";
export type { Action, CutoverEvent, CutoverState, Reason, RouterObservation, Transaction } from "./cutover/state.ts";
export { describePlan, describeStep } from "./describe-plan.ts";
export { BasculeError, messageOf, type ErrorCode } from "./errors.ts";
export { findBreak, journalEntrySchema, nextEntry, type JournalEntry } from "./journal/entry.ts";
export type { JournalFact } from "./journal/fact.ts";
export { parseInput } from "./parse-input.ts";
export { planOf, planSchema, type Plan, type PlanOptions, type Step, type Strategy } from "./plan.ts";
export { http, probeSchema, tcp, type HttpProbe, type Probe, type ProbeAnalysis, type TcpProbe } from "./probe.ts";
export { versionId, type VersionId } from "./version.ts";
export { allTo, describeWeights, sameWeights, type Weights } from "./weights.ts";
export { changeWindowSchema, isOpen, type ChangeWindow } from "./window.ts";
