export { systemClock } from "./clock.ts";
export { createFakeClock, type FakeClock } from "./fake-clock.ts";
export { openJournal, readJournal, type JournalFile } from "./journal-directory.ts";
export { processOwnership, thisProcess } from "./ownership.ts";
export {
  RouterConflict,
  type Clock,
  type Hooks,
  type Journal,
  type Ownership,
  type Prober,
  type ProbeRequest,
  type Router,
  type Workload,
} from "./ports.ts";
export type { RingTarget, TargetVerification } from "./rings/ring-target.ts";
export { runRings, type RingPorts, type RingRequest } from "./rings/run-rings.ts";
export { runCutover, type CutoverOutcome, type CutoverPorts, type CutoverRequest } from "./run-cutover.ts";
export { withinLimit, type Limited } from "./time-limit.ts";
export { probeDefaults, verify, type VerificationRequest, type VerificationResult } from "./verification.ts";
