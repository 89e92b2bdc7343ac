import { join } from "node:path";
import type { SnapshotPlatform, SnapshotTaken } from "@bascule/pulumi";
import { snapshotInputsSchema } from "@bascule/pulumi";
import { z } from "zod";
import { connectApi } from "../api.ts";
import { clusterAddressSchema, loadKubeConfig } from "../cluster-address.ts";
import { snapshotDatabase } from "./database-dump.ts";
import { snapshotManifests } from "./manifests.ts";
import { snapshotSpecSchema } from "./snapshot-spec.ts";
import { pruneSnapshots } from "./snapshot-store.ts";

const kubernetesSnapshotInputsSchema = snapshotInputsSchema.extend({
  cluster: clusterAddressSchema,
  namespace: z.string().min(1),
  specs: z.array(snapshotSpecSchema).min(1),
  /** Where the backups are kept. Relative: to the Pulumi project. */
  directory: z.string().min(1),
  /** How many of each kind are kept. */
  keep: z.int().min(1),
});
export type KubernetesSnapshotInputs = z.infer<typeof kubernetesSnapshotInputsSchema>;

/** Takes what the release asks for, one after the other; old ones go only when all new ones are verified. */
export const kubernetesSnapshots: SnapshotPlatform<KubernetesSnapshotInputs> = {
  inputs: kubernetesSnapshotInputsSchema,
  take: async (inputs, signal) => {
    const { release, namespace, version } = inputs;
    const configuration = await loadKubeConfig(inputs.cluster);
    const api = connectApi(configuration);
    const directory = join(inputs.directory, release);
    const takenAt = new Date().toISOString();
    const taken: SnapshotTaken[] = [];
    for (const spec of inputs.specs) {
      const common = { api, release, namespace, directory, takenAt };
      taken.push(
        spec.kind === "manifests"
          ? await snapshotManifests({ ...common, id: `${version}-manifests` }, signal)
          : await snapshotDatabase({ ...common, configuration, spec, id: `${version}-${spec.name}` }, signal),
      );
    }
    await pruneSnapshots(
      directory,
      inputs.keep,
      taken.map(({ id }) => id),
    );
    return taken;
  },
};
