import { join } from "node:path";
import { openJournal, systemClock } from "@bascule/engine";
import { cutoverInputsSchema, type CutoverPlatform } from "@bascule/pulumi";
import { z } from "zod";
import { connectApi } from "./api.ts";
import { clusterAddressSchema, loadKubeConfig } from "./cluster-address.ts";
import { kubernetesProber } from "./prober.ts";
import { serviceRouter } from "./router/service-router.ts";
import { serviceShapeSchema } from "./router/service-shape.ts";
import { kubernetesWorkload } from "./workload.ts";

const kubernetesCutoverInputsSchema = cutoverInputsSchema.extend({
  router: serviceShapeSchema,
  cluster: clusterAddressSchema,
  /** The port that the containers of every version listen on. */
  containerPort: z.int().min(1).max(65_535),
});
export type KubernetesCutoverInputs = z.infer<typeof kubernetesCutoverInputsSchema>;

/** A cut-over by the selector of a Kubernetes Service. */
export const kubernetesCutover: CutoverPlatform<KubernetesCutoverInputs> = {
  inputs: kubernetesCutoverInputsSchema,
  open: async (inputs) => {
    const { release, router: shape, containerPort, candidate } = inputs;
    const configuration = loadKubeConfig(inputs.cluster);
    const api = connectApi(configuration);
    const router = serviceRouter(api, release, shape);
    const workload = kubernetesWorkload(api, release, shape.namespace);
    const { reach } = inputs.cluster;
    return {
      router,
      workload,
      prober: kubernetesProber({
        api,
        configuration,
        workload,
        router,
        shape,
        candidate,
        containerPort,
        reach,
        clock: systemClock,
      }),
      journal: await openJournal(join(inputs.journalDirectory), inputs.change.id, systemClock),
      readRouter: (signal) => router.readShape(signal),
      remove: (signal) => router.remove(signal),
      describe: async (signal) => {
        const live = await router.read(signal);
        return { address: `${live?.spec.clusterIP ?? ""}:${shape.ports[0]?.port ?? ""}` };
      },
    };
  },
};
