import { z } from "zod";
import { ApiError, type Api } from "../api.ts";
import { portNumber } from "./service-shape.ts";

/** Where clients reach a service, where the cluster cannot tell it, or tells another address than probes should use. */
export const entranceSchema = z.strictObject({
  /** A name or an address that the machine that runs the deployment reaches. */
  host: z.string().min(1),
  port: portNumber,
  /** The name that clients ask for, sent as the header Host. Default: the host. */
  hostHeader: z.string().min(1).optional(),
});
export type EntranceSpec = z.infer<typeof entranceSchema>;

/** One address of a service. */
export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
  /** The way through the Kubernetes API, below its address; not every entrance has one. */
  readonly proxyPath?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Finds the address at which clients reach a service. */
export interface Entrance {
  /** What has the address, for messages. */
  readonly title: string;
  address(signal: AbortSignal): Promise<ServiceAddress | undefined>;
}

/** An address that the user gave. */
export function declaredEntrance({ host, port, hostHeader }: EntranceSpec): Entrance {
  return {
    title: `the entrance ${host}:${port}`,
    address: () =>
      Promise.resolve({ host, port, ...(hostHeader === undefined ? {} : { headers: { host: hostHeader } }) }),
  };
}

const gatewaySchema = z.looseObject({
  spec: z.looseObject({
    listeners: z.array(z.looseObject({ name: z.string(), port: z.number(), protocol: z.string() })).default([]),
  }),
  status: z
    .looseObject({ addresses: z.array(z.looseObject({ value: z.string() })).default([]) })
    .default({ addresses: [] }),
});

/** Which Gateway a route is attached to, and the host that clients ask for there. */
export interface GatewayReference {
  readonly name: string;
  readonly namespace: string;
  readonly sectionName?: string | undefined;
  readonly hostname?: string | undefined;
}

/** The address that a Gateway was given, and the port of its listener for HTTP. */
export function gatewayEntrance(api: Api, { name, namespace, sectionName, hostname }: GatewayReference): Entrance {
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/gateways/${encodeURIComponent(name)}`;
  return {
    title: `the Gateway ${namespace}/${name}`,
    address: async (signal) => {
      try {
        const { spec, status } = await api.send({ method: "GET", path }, gatewaySchema, signal);
        const host = status.addresses[0]?.value;
        const listener = spec.listeners.find((each) =>
          sectionName === undefined ? each.protocol === "HTTP" : each.name === sectionName,
        );
        if (host === undefined || !listener) return undefined;
        return { host, port: listener.port, ...(hostname === undefined ? {} : { headers: { host: hostname } }) };
      } catch (thrown) {
        if (thrown instanceof ApiError && thrown.status === 404) return undefined;
        throw thrown;
      }
    },
  };
}
