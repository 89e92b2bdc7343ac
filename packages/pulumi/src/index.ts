export { cutoverInputsSchema, protocol, type CutoverInputs } from "./cutover-inputs.ts";
export {
  defineCutoverProvider,
  type CutoverPlatform,
  type CutoverSession,
  type PlatformInputs,
} from "./cutover-provider.ts";
export { watchEngine, type EngineWatch } from "./engine-watch.ts";
export {
  defineSnapshotProvider,
  snapshotInputsSchema,
  type SnapshotInputs,
  type SnapshotPlatform,
  type SnapshotTaken,
} from "./snapshot-provider.ts";
