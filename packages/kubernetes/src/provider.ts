import {
  cutoverOutputs,
  defineCutoverProvider,
  defineSnapshotProvider,
  snapshotOutputs,
  thinProvider,
} from "@bascule/pulumi";
import { kubernetesCutover } from "./cutover-platform.ts";
import { structuredProperties } from "./structured-properties.ts";
import { kubernetesSnapshots } from "./snapshot/take-snapshots.ts";

export { kubernetesCutover };

/** What the Cutover resource does; loaded by the text that Pulumi keeps of it at run time. */
export const cutover = thinProvider(defineCutoverProvider(kubernetesCutover), {
  outputs: cutoverOutputs,
  structured: structuredProperties.cutover,
});

/** What the Snapshot resource does; loaded by the text that Pulumi keeps of it at run time. */
export const snapshot = thinProvider(defineSnapshotProvider(kubernetesSnapshots), {
  outputs: snapshotOutputs,
  structured: structuredProperties.snapshot,
});
