import { http as coreHttp, type DifferenceProbe, type HttpProbe, type LagProbe, type TcpProbe } from "@bascule/core";
import type * as pulumi from "@pulumi/pulumi";

/** An HTTP probe of which the values of the headers may be outputs, and secret. */
export type HttpProbeInput = Omit<HttpProbe, "headers"> & {
  readonly headers?: Readonly<Record<string, pulumi.Input<string>>>;
};

/** A probe as a program declares it. */
export type ProbeInput = HttpProbeInput | TcpProbe | DifferenceProbe | LagProbe;

/**
 * A probe that asks over HTTP, on a connection of its own each time.
 *
 * @example http("/health", { expect: { status: 200, latencyMs: 250 }, headers: { authorization: config.requireSecret("token") } })
 */
export function http(
  path: string,
  { headers, ...options }: Partial<Omit<HttpProbeInput, "kind" | "path">> = {},
): HttpProbeInput {
  const { headers: _none, ...probe } = coreHttp(path, options);
  return { ...probe, ...(headers ? { headers } : {}) };
}
