import { connect } from "node:net";
import type { ClusterAddress } from "./cluster-address.ts";

/** The way to a Pod or a Service: straight to its address, or through the API server's proxy. */
export type Way = "direct" | "kubernetesApi";

/** An address, and the way through the Kubernetes API to the same. */
export interface Reachable {
  readonly host: string;
  readonly port: number;
  /** Below the API server's address; without one, the place is reached directly or not at all. */
  readonly proxyPath?: string;
}

const connectLimitMs = 1_000;

/** The way that was asked for; with `auto`, straight where the address answers from here. */
export async function findWay(
  wanted: NonNullable<ClusterAddress["reach"]>,
  place: Reachable,
  signal: AbortSignal,
): Promise<Way> {
  if (wanted !== "auto") return wanted;
  if (place.proxyPath === undefined) return "direct";
  return (await answers(place, signal)) ? "direct" : "kubernetesApi";
}

/** Whether the address can be reached at all: being refused counts, no answer does not. */
function answers({ host, port }: Reachable, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal: AbortSignal.any([signal, AbortSignal.timeout(connectLimitMs)]) });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (error) => resolve("code" in error && error.code === "ECONNREFUSED"));
  });
}
