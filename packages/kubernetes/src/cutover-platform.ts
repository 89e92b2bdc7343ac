import { join } from "node:path";
import { openJournal, systemClock } from "@bascule/engine";
import { cutoverInputsSchema, type CutoverPlatform } from "@bascule/pulumi";
import { z } from "zod";
import { connectApi } from "./api.ts";
import { withAutoscaler } from "./autoscaler.ts";
import { clusterAddressSchema, loadKubeConfig } from "./cluster-address.ts";
import { hookSchema, kubernetesHooks } from "./hooks.ts";
import { differenceMeasurement } from "./mirror/difference.ts";
import { adminPortOf } from "./mirror/mirror-objects.ts";
import { mirrorReports } from "./mirror/mirror-reports.ts";
import { kubernetesProber } from "./prober.ts";
import { declaredEntrance, entranceSchema, type Entrance } from "./router/entrance.ts";
import { openRouter } from "./router/open-router.ts";
import { routerShapeSchema } from "./router/router-shape.ts";
import { kubernetesWorkload, sizesSchema } from "./workload.ts";

const kubernetesCutoverInputsSchema = cutoverInputsSchema.extend({
  router: routerShapeSchema,
  /** Set where the cut-over, and not the Deployments, says how large versions are. */
  sizes: sizesSchema.optional(),
  /** What a plan's hooks run, by name. */
  hooks: z.record(z.string(), hookSchema).optional(),
  /** Where probes reach the service. Default: what the router's object says. */
  entrance: entranceSchema.optional(),
  cluster: clusterAddressSchema,
  /** The port that the containers of every version listen on. */
  containerPort: z.int().min(1).max(65_535),
});
export type KubernetesCutoverInputs = z.infer<typeof kubernetesCutoverInputsSchema>;

/** A cut-over by an object of the Kubernetes API that splits traffic. */
export const kubernetesCutover: CutoverPlatform<KubernetesCutoverInputs> = {
  inputs: kubernetesCutoverInputsSchema,
  open: async (inputs) => {
    const { release, router: shape, containerPort, candidate } = inputs;
    const { namespace } = shape;
    const configuration = await loadKubeConfig(inputs.cluster);
    const api = connectApi(configuration);
    const workload = kubernetesWorkload(api, release, namespace, inputs.sizes);
    const { router: plain, entrance: found } = openRouter(api, release, shape, workload);
    const router = withAutoscaler(plain, api, { release, namespace, spec: inputs.sizes?.autoscaler });
    const entrance = inputs.entrance ? declaredEntrance(inputs.entrance) : (found ?? unknownEntrance(shape.kind));
    const { reach } = inputs.cluster;
    const hooks = kubernetesHooks(api, release, namespace, inputs.hooks ?? {});
    const port = adminPortOf({ containerPort });
    const reports = mirrorReports({ api, release, namespace, candidate, port, reach });
    return {
      router,
      workload,
      hooks,
      prober: kubernetesProber({
        api,
        configuration,
        workload,
        entrance,
        namespace,
        candidate,
        containerPort,
        reach,
        clock: systemClock,
        tell: (hook, signal) => hooks.tell(hook, signal),
        ...(shape.kind === "service" ? { measureDifference: differenceMeasurement(reports, systemClock) } : {}),
      }),
      journal: await openJournal(join(inputs.journalDirectory), inputs.change.id, systemClock),
      readRouter: (signal) => router.readShape(signal),
      remove: (signal) => router.remove(signal),
      describe: async (signal) => {
        const address = await entrance.address(signal);
        return { address: address ? `${address.host}:${address.port}` : "" };
      },
    };
  },
};

function unknownEntrance(kind: string): Entrance {
  return { title: `the ${kind} router without an entrance`, address: () => Promise.resolve(undefined) };
}
