import type { Api } from "../api.ts";
import { mirrorRouter } from "../mirror/mirror-router.ts";
import type { KubernetesWorkload } from "../workload.ts";
import { gatewayEntrance, type Entrance } from "./entrance.ts";
import { httpRouteFeatures } from "./http-route-features.ts";
import { httpRouteTraffic } from "./http-route-router.ts";
import { ingressEntrance, ingressNginxRouter } from "./ingress-nginx-router.ts";
import { istioTraffic } from "./istio-router.ts";
import { objectRouter, type ObjectRouter } from "./object-router.ts";
import { replicaRouter } from "./replica-router.ts";
import type { RouterShape } from "./router-shape.ts";
import { servedBy, servedByServices } from "./served.ts";
import { clusterAddressOf, type ServiceShape } from "./service-shape.ts";
import { smiTraffic } from "./smi-router.ts";

/** A router, and where its clients come in; `undefined` where only the user can tell. */
export interface OpenedRouter {
  readonly router: ObjectRouter;
  readonly entrance: Entrance | undefined;
}

/** The adapter for a declared router. */
export function openRouter(api: Api, release: string, shape: RouterShape, workload: KubernetesWorkload): OpenedRouter {
  const isServed = servedBy(api, release, shape.namespace);
  const isReached = servedByServices(api, shape.namespace);
  switch (shape.kind) {
    case "service": {
      const router = mirrorRouter({ api, release, shape, isServed });
      return { router, entrance: serviceEntrance(router, shape) };
    }
    case "replicas": {
      const router = replicaRouter(api, release, shape, workload, isServed);
      return { router, entrance: serviceEntrance(router, shape) };
    }
    case "httpRoute": {
      const [parent] = shape.parentRefs;
      const gateway = {
        name: parent?.name ?? "",
        namespace: parent?.namespace ?? shape.namespace,
        sectionName: parent?.sectionName,
        hostname: shape.hostnames[0],
      };
      return {
        router: objectRouter(api, release, httpRouteTraffic(release, shape), isReached, httpRouteFeatures(api, shape)),
        entrance: gatewayEntrance(api, gateway),
      };
    }
    case "ingressNginx": {
      const router = ingressNginxRouter(api, release, shape, isReached);
      return { router, entrance: ingressEntrance(router, shape) };
    }
    case "istio":
      return { router: objectRouter(api, release, istioTraffic(release, shape), isReached), entrance: undefined };
    case "smi":
      return { router: objectRouter(api, release, smiTraffic(shape), isReached), entrance: undefined };
  }
}

function serviceEntrance(router: ObjectRouter, shape: ServiceShape): Entrance {
  const port = shape.ports[0]?.port ?? 0;
  const service = `/api/v1/namespaces/${encodeURIComponent(shape.namespace)}/services/${encodeURIComponent(shape.name)}`;
  return {
    title: `the Service ${shape.namespace}/${shape.name}`,
    address: async (signal) => {
      const host = clusterAddressOf(await router.read(signal));
      return host === undefined ? undefined : { host, port, proxyPath: `${service}:${port}/proxy` };
    },
  };
}
