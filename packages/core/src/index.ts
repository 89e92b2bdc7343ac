export {
  assess,
  countMeasurement,
  noMeasurements,
  type AnalysisCounters,
  type AnalysisLimits,
} from "./analysis/assess.ts";
export {
  compareSamples,
  type Classification,
  type ComparisonRequest,
  type ComparisonResult,
} from "./analysis/comparison/compare.ts";
export { comparisonSchema, type ComparisonOptions } from "./analysis/comparison/comparison-options.ts";
export {
  judgeComparisons,
  judgementSchema,
  type GroupScore,
  type JudgedComparison,
  type Judgement,
  type JudgementOptions,
} from "./analysis/comparison/judge.ts";
export type { Interval } from "./analysis/comparison/mann-whitney.ts";
export {
  checkCondition,
  conditionSchema,
  evaluateConditions,
  type Conditions,
  type ConditionsResult,
} from "./analysis/condition.ts";
export type { Measurement, Verdict } from "./analysis/measurement.ts";
export {
  assessRun,
  decidingProbe,
  describeRun,
  isRunLost,
  summarizeDryRuns,
  worstVerdict,
  type DryRunSummary,
  type ProbeOutcome,
} from "./analysis/run.ts";
export { canonicalJson } from "./canonical-json.ts";
export { changeSchema, environmentOf, environmentSchema, type Change, type Environment } from "./change.ts";
export { markerSchema, type Marker, type Origin, type Owner } from "./cutover/marker.ts";
export { beginCutover, next, readOnlyTooLong, type Transition } from "./cutover/next.ts";
export type {
  Action,
  CutoverEvent,
  CutoverState,
  Expected,
  Reason,
  RouterMemory,
  RouterObservation,
  Transaction,
} from "./cutover/state.ts";
export { BasculeError, messageOf, type ErrorCode } from "./errors.ts";
export { findBreak, journalEntrySchema, nextEntry, type JournalEntry } from "./journal/entry.ts";
export type { JournalFact } from "./journal/fact.ts";
export { stepsFromArgoRollouts } from "./migration/from-argo-rollouts.ts";
export { conditionsOfThresholdRange, stepsFromFlagger, type MigratedCanary } from "./migration/from-flagger.ts";
export type { MigratedPlan } from "./migration/migrated-plan.ts";
export { parseInput } from "./parse-input.ts";
export { beginPlan, type PlanBeginning, type PlanSituation } from "./plan/begin-plan.ts";
export { describePlan, describeStep, type PlanDescription } from "./plan/describe-plan.ts";
export {
  affinitySchema,
  defaultAffinitySeconds,
  planSchema,
  type Affinity,
  type Plan,
  type Strategy,
} from "./plan/plan.ts";
export { requestMatchSchema, stepSchema, type CandidateSize, type RequestMatch, type Step } from "./plan/step.ts";
export { analysis, experiment, mirror, pause, route, runHook, scale, setWeight, soak } from "./plan/step-builders.ts";
export type { PlanOptions } from "./plan/plan-options.ts";
export { planProblems, type PlanSurroundings } from "./plan/plan-problems.ts";
export { planRefusal, type PlanRefusal } from "./plan/plan-refusal.ts";
export { isDone, restSchema, type DeclaredVersions, type Rest } from "./plan/rest.ts";
export { planOf, promotionPause } from "./plan/strategies.ts";
export { trafficAfter, type Traffic } from "./plan/traffic.ts";
export {
  difference,
  http,
  lag,
  probeSchema,
  tcp,
  type DifferenceProbe,
  type HttpProbe,
  type LagProbe,
  type Probe,
  type ProbeAnalysis,
  type TcpProbe,
} from "./probe.ts";
export { podsOf } from "./replicas/candidate-size.ts";
export {
  nextReplicaCounts,
  type NextReplicaCounts,
  type ObservedReplicaCounts,
  type ObservedReplicas,
} from "./replicas/next-replica-counts.ts";
export { planReplicaCounts, type ReplicaCounts, type ReplicaShare } from "./replicas/plan-replica-counts.ts";
export {
  replicaLimitsOf,
  replicaLimitsSchema,
  type ReplicaLimitOptions,
  type ReplicaLimits,
} from "./replicas/replica-limits.ts";
export { beginRings, nextRing, type RingTransition } from "./rings/next-ring.ts";
export { planRings, type Ring, type RingPlan } from "./rings/plan-rings.ts";
export type { RingFact } from "./rings/ring-fact.ts";
export { ringOptionsSchema, targetSchema, type RingOptions, type RingSpec, type Target } from "./rings/ring-options.ts";
export type { RingReason } from "./rings/ring-reason.ts";
export type {
  RingAction,
  RingAnswer,
  RingEvent,
  RingOutcome,
  RingReport,
  RingRun,
  RingState,
  TargetWork,
} from "./rings/ring-state.ts";
export { targetMarkerSchema, type TargetMarker, type TargetObservation } from "./rings/target-marker.ts";
export { versionId, type VersionId } from "./version.ts";
export { allTo, describeWeights, sameWeights, type Weights } from "./weights.ts";
export { changeWindowSchema, isOpen, type ChangeWindow } from "./window.ts";
