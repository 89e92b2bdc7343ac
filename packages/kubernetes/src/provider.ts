import { defineCutoverProvider, defineSnapshotProvider } from "@bascule/pulumi";
import { kubernetesCutover } from "./cutover-platform.ts";
import { kubernetesSnapshots } from "./snapshot/take-snapshots.ts";

export { kubernetesCutover };

/** What the Cutover resource does; loaded by its serialised provider at run time. */
export const cutover = defineCutoverProvider(kubernetesCutover);

/** What the Snapshot resource does; loaded by its serialised provider at run time. */
export const snapshot = defineSnapshotProvider(kubernetesSnapshots);
