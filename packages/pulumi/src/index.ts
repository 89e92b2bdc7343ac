export { cutoverInputsSchema, protocol, type CutoverInputs } from "./cutover-inputs.ts";
export {
  cutoverOutputs,
  defineCutoverProvider,
  type CutoverPlatform,
  type CutoverSession,
  type PlatformInputs,
} from "./cutover-provider.ts";
export { watchEngine, type EngineWatch } from "./engine-watch.ts";
export {
  defineSnapshotProvider,
  snapshotOutputs,
  snapshotInputsSchema,
  type SnapshotInputs,
  type SnapshotPlatform,
  type SnapshotTaken,
} from "./snapshot-provider.ts";
export { withoutStacks } from "./short-stacks.ts";
export { thinProvider } from "./thin-provider.ts";
export { ThinResource, type ThinProvider } from "./thin-resource.ts";
