import type { Weights } from "@bascule/core";
import type { StoredObject } from "../kubernetes-api.fake.ts";
import {
  throughHttpRoute,
  throughIngressNginx,
  throughService,
  throughTrafficSplit,
  throughVirtualService,
  type ClientRequest,
  type Met,
  type View,
} from "./data-planes.fake.ts";
import type { RouterShape } from "./router-shape.ts";
import type { ServiceShape } from "./service-shape.ts";

/** Where a release is, and its name. */
export interface Place {
  readonly namespace: string;
  readonly release: string;
}

/** One router as a test sees it: from outside, without the router's own reading of its objects. */
export interface RouterSubject {
  readonly kind: RouterShape["kind"];
  /** What a release declares. */
  shape(place: Place): RouterShape;
  /** The same, declared otherwise. */
  changedShape(place: Place): RouterShape;
  /** The paths of all that the router writes; the router object is the first. */
  paths(place: Place): readonly string[];
  /** Whom such requests meet. */
  meet(view: View, place: Place, request: ClientRequest): Met;
  /** What somebody does to the router object by hand, as a merge patch, and who has the traffic then. */
  byHand(place: Place): { readonly patch: object; readonly weights: Weights };
}

/** The host that the clients of a release ask for. */
export function hostOf({ release }: Place): string {
  return `${release}.example`;
}

export function podsOf({ namespace }: Place): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

function namespaced(group: string, plural: string, { namespace }: Place): string {
  return `/${group}/namespaces/${namespace}/${plural}`;
}

const labels = { team: "blue" };
const annotations = { contact: "ada" };
const changed = { labels: { team: "red" }, annotations: { contact: "grace" } };
const otherPort = 8_081;

const service = ({ namespace, release }: Place): ServiceShape => ({
  name: release,
  namespace,
  type: "ClusterIP",
  ports: [{ name: "main", port: 80, targetPort: 8_080 }],
  labels,
  annotations,
});
const changedService = (place: Place): ServiceShape => ({
  ...service(place),
  ...changed,
  ports: [{ name: "main", port: 81, targetPort: 9_090 }],
});
const servicePaths = (place: Place) => [`${namespaced("api/v1", "services", place)}/${place.release}`];
const meetByService = (view: View, place: Place): Met =>
  throughService(view, servicePaths(place)[0] ?? "", podsOf(place));
const selectorByHand = {
  patch: { spec: { selector: { "bascule.dev/release": null, "bascule.dev/version": null, app: "legacy" } } },
  weights: { 'selector {"app":"legacy"}': 100 },
};

export const serviceSubject: RouterSubject = {
  kind: "service",
  shape: (place) => ({ kind: "service", ...service(place) }),
  changedShape: (place) => ({ kind: "service", ...changedService(place) }),
  paths: servicePaths,
  meet: meetByService,
  byHand: () => selectorByHand,
};

const sizes = { kind: "replicas", replicas: 4, maxSurge: "25%", maxUnavailable: 0 } as const;

const replicaSubject: RouterSubject = {
  kind: "replicas",
  shape: (place) => ({ ...sizes, ...service(place) }),
  changedShape: (place) => ({ ...sizes, ...changedService(place) }),
  paths: servicePaths,
  meet: meetByService,
  byHand: () => selectorByHand,
};

const httpRoutePath = (place: Place) =>
  `${namespaced("apis/gateway.networking.k8s.io/v1", "httproutes", place)}/${place.release}`;
const httpRoute = (place: Place) =>
  ({
    kind: "httpRoute",
    name: place.release,
    namespace: place.namespace,
    parentRefs: [{ name: "public" }],
    hostnames: [hostOf(place)],
    pathPrefix: "/",
    servicePort: 80,
    labels,
    annotations,
  }) satisfies RouterShape;

/** A class of Gateways whose implementation says that it can do everything. */
export const completeGatewayClass = {
  kind: "GatewayClass",
  spec: { controllerName: "example.com/complete" },
  status: {
    supportedFeatures: [
      "HTTPRouteBackendRequestHeaderModification",
      "HTTPRouteRequestMirror",
      "HTTPRouteRequestPercentageMirror",
      "HTTPRouteResponseHeaderModification",
    ].map((name) => ({ name })),
  },
};

/** The Gateway of a namespace that routes are attached to. */
export function gatewayPath({ namespace }: Pick<Place, "namespace">): string {
  return `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/gateways/public`;
}

export const httpRouteSubject: RouterSubject = {
  kind: "httpRoute",
  shape: httpRoute,
  changedShape: (place) => ({ ...httpRoute(place), ...changed, servicePort: otherPort }),
  paths: (place) => [httpRoutePath(place)],
  meet: (view, place, request) => throughHttpRoute(view, httpRoutePath(place), request),
  byHand: () => ({
    patch: { spec: { rules: [{ backendRefs: [{ name: "legacy", port: 80 }] }] } },
    weights: { legacy: 100 },
  }),
};

const ingresses = (place: Place) => namespaced("apis/networking.k8s.io/v1", "ingresses", place);
const ingress = (place: Place) =>
  ({
    kind: "ingressNginx",
    name: place.release,
    namespace: place.namespace,
    ingressClassName: "nginx",
    hosts: [hostOf(place)],
    pathPrefix: "/",
    servicePort: 80,
    tls: [],
    labels,
    annotations,
  }) satisfies RouterShape;

export const ingressNginxSubject: RouterSubject = {
  kind: "ingressNginx",
  shape: ingress,
  changedShape: (place) => ({ ...ingress(place), ...changed, servicePort: otherPort }),
  paths: (place) => [`${ingresses(place)}/${place.release}`, `${ingresses(place)}/${place.release}-canary`],
  meet: (view, place, request) => throughIngressNginx(view, ingresses(place), request),
  byHand: (place) => ({
    patch: {
      spec: {
        rules: [
          {
            host: hostOf(place),
            http: {
              paths: [
                { path: "/", pathType: "Exact", backend: { service: { name: "legacy", port: { name: "http" } } } },
                { path: "/old", pathType: "Exact", backend: { service: { name: "older", port: { number: 80 } } } },
              ],
            },
          },
        ],
      },
    },
    weights: { "legacy and older": 100 },
  }),
};

const virtualServicePath = (place: Place) =>
  `${namespaced("apis/networking.istio.io/v1", "virtualservices", place)}/${place.release}`;
const virtualService = (place: Place) =>
  ({
    kind: "istio",
    name: place.release,
    namespace: place.namespace,
    hosts: [hostOf(place)],
    gateways: ["gateways/public", "mesh"],
    pathPrefix: "/",
    servicePort: 80,
    labels,
    annotations,
  }) satisfies RouterShape;

export const istioSubject: RouterSubject = {
  kind: "istio",
  shape: virtualService,
  changedShape: (place) => ({ ...virtualService(place), ...changed, servicePort: otherPort }),
  paths: (place) => [virtualServicePath(place)],
  meet: (view, place, request) => throughVirtualService(view, virtualServicePath(place), request),
  byHand: ({ namespace }) => ({
    patch: { spec: { http: [{ route: [{ destination: { host: `legacy.${namespace}.svc.cluster.local` } }] }] } },
    weights: { legacy: 100 },
  }),
};

const trafficSplitPath = (place: Place) =>
  `${namespaced("apis/split.smi-spec.io/v1alpha2", "trafficsplits", place)}/${place.release}`;
const trafficSplit = (place: Place) =>
  ({
    kind: "smi",
    name: place.release,
    namespace: place.namespace,
    apiVersion: "v1alpha2",
    service: "shop",
    labels,
    annotations,
  }) satisfies RouterShape;

export const smiSubject: RouterSubject = {
  kind: "smi",
  shape: trafficSplit,
  changedShape: (place) => ({ ...trafficSplit(place), ...changed, service: "market" }),
  paths: (place) => [trafficSplitPath(place)],
  meet: (view, place) => throughTrafficSplit(view, trafficSplitPath(place)),
  byHand: () => ({ patch: { spec: { backends: [{ service: "legacy", weight: 1 }] } }, weights: { legacy: 100 } }),
};

export const subjects: readonly RouterSubject[] = [
  serviceSubject,
  replicaSubject,
  httpRouteSubject,
  ingressNginxSubject,
  istioSubject,
  smiSubject,
];

/** The objects of a fake, as they are just now. */
export function viewOf(objects: ReadonlyMap<string, StoredObject>): View {
  return {
    get: (path) => objects.get(path),
    list: (collection) =>
      [...objects].filter(([path]) => path.slice(0, path.lastIndexOf("/")) === collection).map(([, object]) => object),
  };
}
