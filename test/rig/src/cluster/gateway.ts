import { request } from "node:http";
import { ApiException, CustomObjectsApi } from "@kubernetes/client-node";
import { z } from "zod";
import { clientConfiguration } from "./client-configuration.ts";
import type { Cluster, Gateway } from "./cluster.ts";
import { waitFor } from "./isolation.ts";

const conditionsSchema = z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]);
const gatewaySchema = z.looseObject({
  spec: z.looseObject({
    listeners: z.array(
      z.looseObject({
        name: z.string(),
        port: z.number(),
        protocol: z.string(),
        allowedRoutes: z
          .looseObject({ namespaces: z.looseObject({ from: z.string().default("Same") }).default({ from: "Same" }) })
          .default({ namespaces: { from: "Same" } }),
      }),
    ),
  }),
  status: z
    .looseObject({ conditions: conditionsSchema, addresses: z.array(z.looseObject({ value: z.string() })).default([]) })
    .default({ conditions: [], addresses: [] }),
});

const programmedLimitMs = 30_000;
const answerLimitMs = 2_000;

/**
 * Waits until the Gateway is programmed and answers this host.
 *
 * @throws Error naming what it lacks
 */
export async function awaitGateway(
  cluster: Pick<Cluster, "kubeconfigPath" | "context">,
  { namespace, name }: Pick<Gateway, "namespace" | "name">,
  onTimeout: () => string = () => "",
): Promise<Gateway> {
  const title = `Gateway ${namespace}/${name}`;
  const api = clientConfiguration(cluster).makeApiClient(CustomObjectsApi);
  const reference = { group: "gateway.networking.k8s.io", version: "v1", plural: "gateways", namespace, name };
  let found: z.infer<typeof gatewaySchema> | undefined;
  await waitFor(
    `the ${title} to be programmed and to have an address`,
    programmedLimitMs,
    async () => {
      try {
        found = gatewaySchema.parse(await api.getNamespacedCustomObject(reference));
      } catch (thrown) {
        if (thrown instanceof ApiException && thrown.code === 404)
          throw new Error(`There is no ${title}.`, { cause: thrown });
        throw thrown;
      }
      const { conditions, addresses } = found.status;
      return addresses.length > 0 && conditions.some(({ type, status }) => type === "Programmed" && status === "True");
    },
    onTimeout,
  );
  const listener = found?.spec.listeners.find(
    ({ protocol, allowedRoutes }) => protocol === "HTTP" && allowedRoutes.namespaces.from === "All",
  );
  if (!listener) {
    throw new Error(
      `None of the listeners of the ${title} is of protocol HTTP with allowedRoutes.namespaces.from "All", which the tests need: add one.`,
    );
  }
  const gateway = { namespace, name, host: found?.status.addresses[0]?.value ?? "", port: listener.port };
  await waitFor(
    `the ${title} to answer at ${gateway.host}:${gateway.port}, which this host has to reach`,
    programmedLimitMs,
    () => answers(gateway),
    onTimeout,
  );
  return gateway;
}

/** Whatever it answers: without a route that is 404. */
function answers({ host, port }: Gateway): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request({ host, port, agent: false, timeout: answerLimitMs });
    outgoing.on("timeout", () => outgoing.destroy(new Error("It took too long.")));
    outgoing.on("error", () => resolve(false));
    outgoing.on("response", (response) => {
      response.resume();
      resolve(true);
    });
    outgoing.end();
  });
}

/**
 * A Gateway of a cluster that is not the rig's own node, which `BASCULE_GATEWAY` names: its data plane is somebody else's, and nothing
 * is installed there.
 *
 * @throws Error when none is named, or it cannot be used from here
 */
export async function useNamedGateway(cluster: Cluster): Promise<Gateway> {
  const [namespace, name, ...rest] = (process.env["BASCULE_GATEWAY"] ?? "").split("/");
  if (!namespace || !name || rest.length > 0) {
    throw new Error(
      `The rig runs a gateway beside its own node only, and this is ${cluster.description}. Name a Gateway of it as BASCULE_GATEWAY=<namespace>/<name> (now ${JSON.stringify(process.env["BASCULE_GATEWAY"] ?? "")}); this host has to reach its address.`,
    );
  }
  return awaitGateway(cluster, { namespace, name });
}
