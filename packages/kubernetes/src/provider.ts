import {
  cutoverOutputs,
  defineCutoverProvider,
  defineSnapshotProvider,
  snapshotOutputs,
  thinProvider,
} from "@bascule/pulumi";
import { kubernetesCutover } from "./cutover-platform.ts";
import { kubernetesSnapshots } from "./snapshot/take-snapshots.ts";

export { kubernetesCutover };

/** What the Cutover resource does; loaded by the text that Pulumi keeps of it at run time. */
export const cutover = thinProvider(defineCutoverProvider(kubernetesCutover), cutoverOutputs);

/** What the Snapshot resource does; loaded by the text that Pulumi keeps of it at run time. */
export const snapshot = thinProvider(defineSnapshotProvider(kubernetesSnapshots), snapshotOutputs);
