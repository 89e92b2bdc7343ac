export { preparePulumi, type PulumiEngine } from "./prepare-pulumi.ts";
export {
  openStack,
  type ExportedResource,
  type RunningUpdate,
  type RunResult,
  type Stack,
  type StackOptions,
} from "./stack.ts";
