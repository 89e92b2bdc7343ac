import { request } from "node:http";
import type { VersionId } from "@bascule/core";
import { addReports, mirrorReportSchema, type MirrorReport } from "@bascule/mirror";
import type { Api } from "../api.ts";
import type { ClusterAddress } from "../cluster-address.ts";
import { mirrorToLabel, releaseLabel } from "../labels.ts";
import { findWay, type Way } from "../reach.ts";
import { isReady, podSchema } from "../workload.ts";

/** What the mirrors of a candidate have counted. */
export interface MirrorReports {
  /**
   * The sum over all Pods of the candidate's mirror, since each of them started; `undefined` where none is ready.
   *
   * @throws Error when one of them does not tell: a sum without it would prove nothing
   */
  read(signal: AbortSignal): Promise<MirrorReport | undefined>;
}

export interface MirrorReportsOptions {
  readonly api: Api;
  readonly release: string;
  readonly namespace: string;
  readonly candidate: VersionId;
  /** The port on which a mirror's Pods tell what they have counted. */
  readonly port: number;
  readonly reach: ClusterAddress["reach"];
}

/** A report has 1,000 samples and 50 differences at the most. */
const maximumBytes = 1024 * 1024;

export function mirrorReports({
  api,
  release,
  namespace,
  candidate,
  port,
  reach,
}: MirrorReportsOptions): MirrorReports {
  const pods = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const labelSelector = `${releaseLabel}=${release},${mirrorToLabel}=${candidate}`;
  let way: Promise<Way> | undefined;

  const readOne = async (name: string, host: string, signal: AbortSignal): Promise<MirrorReport> => {
    const proxyPath = `${pods}/${encodeURIComponent(name)}:${port}/proxy`;
    way ??= findWay(reach ?? "auto", { host, port, proxyPath }, signal);
    return (await way) === "direct"
      ? mirrorReportSchema.parse(await ask(host, port, signal))
      : api.send({ method: "GET", path: `${proxyPath}/report` }, mirrorReportSchema, signal);
  };

  return {
    read: async (signal) => {
      const found = await api.list(pods, { labelSelector }, podSchema, signal);
      const ready = found.filter(isReady);
      if (ready.length === 0) return undefined;
      const reports = await Promise.all(
        ready.map(({ metadata, status }) => readOne(metadata.name, status.podIP ?? "", signal)),
      );
      return addReports(reports);
    },
  };
}

/** Asks a Pod for its report, on a connection of its own. */
function ask(host: string, port: number, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, path: "/report", agent: false, signal });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maximumBytes)
          outgoing.destroy(new Error(`the mirror's report is longer than ${maximumBytes} bytes`));
        chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200) {
          reject(new Error(`the mirror answered ${response.statusCode} in place of its report`));
          return;
        }
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
        } catch (cause) {
          reject(new Error("the mirror's report is not JSON", { cause }));
        }
      });
    });
    outgoing.end();
  });
}
