import { PassThrough } from "node:stream";
import {
  messageOf,
  type DifferenceProbe,
  type HttpProbe,
  type LagProbe,
  type Measurement,
  type TcpProbe,
  type VersionId,
} from "@bascule/core";
import { probeDefaults, type Clock, type Prober, type ProbeRequest } from "@bascule/engine";
import { judgeLag, measureHttp, measureLag, measureTcp, type HttpPlace } from "@bascule/probes";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Api } from "./api.ts";
import type { ClusterAddress } from "./cluster-address.ts";
import { findWay, type Reachable, type Way } from "./reach.ts";
import type { Entrance, ServiceAddress } from "./router/entrance.ts";
import type { KubernetesWorkload, ReadyPod } from "./workload.ts";

export interface KubernetesProberOptions {
  readonly api: Api;
  readonly configuration: KubeConfig;
  readonly workload: KubernetesWorkload;
  /** Where clients reach the service. */
  readonly entrance: Entrance;
  readonly namespace: string;
  readonly candidate: VersionId;
  /** The port that the container listens on. */
  readonly containerPort: number;
  readonly reach: ClusterAddress["reach"];
  readonly clock: Clock;
  /** Measures how answers differ, where requests are copied to the candidate. */
  readonly measureDifference?: (probe: DifferenceProbe, signal: AbortSignal) => Promise<Measurement>;
  /** Runs a hook that tells the lag of the candidate's data, and gives its last line. */
  readonly tell: (hook: string, signal: AbortSignal) => Promise<string>;
}

/** Where one measurement goes. */
interface Place extends Reachable {
  /** Sent along, such as the name of the host. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A Pod that a port can be forwarded to. */
  readonly pod: () => Promise<ReadyPod | undefined>;
}

const connectLimitMs = 1_000;
const readLimitMs = 5_000;

/** Measures the candidate at each of its Pods in turn, and the service at the address that its clients use. */
export function kubernetesProber(options: KubernetesProberOptions): Prober {
  const { api, workload, entrance, candidate, containerPort, clock } = options;
  const namespace = encodeURIComponent(options.namespace);
  const podsOf = new Map<VersionId, readonly ReadyPod[]>();
  let serviceAddress: ServiceAddress | undefined;
  let way: Promise<Way> | undefined;

  const limited = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(readLimitMs)]);

  /** The API server may be away just now; the address that clients use was known before and does not change. */
  const learnServiceAddress = async (signal: AbortSignal): Promise<void> => {
    serviceAddress = (await entrance.address(limited(signal)).catch(() => undefined)) ?? serviceAddress;
  };

  /** The Pods of one version, in turn. */
  const versionPlace = async (version: VersionId, sequence: number, signal: AbortSignal): Promise<Place> => {
    // Learned while there is time, because right after a switch every moment counts.
    if (sequence === 0) await learnServiceAddress(signal);
    const known = podsOf.get(version) ?? [];
    const pods =
      sequence % Math.max(1, known.length) === 0 ? await workload.readyPods(version, limited(signal)) : known;
    podsOf.set(version, pods);
    const pod = pods[sequence % Math.max(1, pods.length)];
    if (!pod) throw new NothingThere(`no Pod of ${version} is ready`);
    return {
      host: pod.address,
      port: containerPort,
      proxyPath: `/api/v1/namespaces/${namespace}/pods/${pod.name}:${containerPort}/proxy`,
      pod: () => Promise.resolve(pod),
    };
  };

  const servicePlace = async ({ expected, sequence }: ProbeRequest, signal: AbortSignal): Promise<Place> => {
    if (serviceAddress === undefined || sequence === 0) await learnServiceAddress(signal);
    if (serviceAddress === undefined) throw new NothingThere(`${entrance.title} has no address`);
    return {
      ...serviceAddress,
      pod: async () => {
        const versions = Object.keys(expected);
        const ready = await Promise.all(versions.map((version) => workload.readyPods(version, limited(signal))));
        return ready.flat()[0];
      },
    };
  };

  const placeOf = (request: ProbeRequest, signal: AbortSignal): Promise<Place> => {
    // Only the candidate knows how far its data is behind, whoever has the traffic.
    if (request.target === "candidate" || request.probe.kind === "lag")
      return versionPlace(candidate, request.sequence, signal);
    const [baseline] = Object.keys(request.expected);
    if (request.target === "baseline" && baseline !== undefined)
      return versionPlace(baseline, request.sequence, signal);
    return servicePlace(request, signal);
  };

  return {
    places: async (target, signal) => {
      if (target !== "candidate") return 1;
      return Math.max(1, (await workload.readyPods(candidate, limited(signal))).length);
    },

    measure: async (request, signal) => {
      const startedAtMs = clock.nowMs();
      try {
        const { probe } = request;
        if (probe.kind === "difference") {
          if (!options.measureDifference)
            throw new Error("answers are compared only where a Service copies requests: use serviceSwitch()");
          return await options.measureDifference(probe, signal);
        }
        if (probe.kind === "lag" && probe.hook !== undefined) {
          const told = await options.tell(
            probe.hook,
            AbortSignal.any([signal, AbortSignal.timeout(hookLimitMs(probe))]),
          );
          return { probe: probe.name, startedAtMs, durationMs: clock.nowMs() - startedAtMs, ...judgeLag(probe, told) };
        }
        const place = await placeOf(request, signal);
        way ??= findWay(options.reach ?? "auto", place, signal);
        return await measureAt(probe, place, await way, signal);
      } catch (thrown) {
        const verdict = thrown instanceof NothingThere ? "fail" : "error";
        return {
          probe: request.probe.name,
          verdict,
          startedAtMs,
          durationMs: clock.nowMs() - startedAtMs,
          message: messageOf(thrown),
        };
      }
    },
  };

  async function measureAt(
    probe: HttpProbe | TcpProbe | LagProbe,
    place: Place,
    way: Way,
    signal: AbortSignal,
  ): Promise<Measurement> {
    if (probe.kind === "tcp") {
      return way === "direct" ? measureTcp(probe, place, clock, signal) : measureByPortForward(probe, place, signal);
    }
    const scheme = (probe.kind === "http" && probe.scheme) || "http";
    const httpPlace = way === "direct" ? directPlace(scheme, place) : await proxyPlace(place);
    return probe.kind === "lag"
      ? measureLag(probe, httpPlace, clock, signal)
      : measureHttp(probe, httpPlace, clock, signal);
  }

  async function proxyPlace(place: Place): Promise<HttpPlace> {
    const { headers, ...tls } = await api.credentials();
    if (place.proxyPath === undefined) {
      throw new Error(
        `${place.host}:${place.port} is not reachable from here, and the Kubernetes API has no way to it`,
      );
    }
    return { url: `${api.server.replace(/\/$/, "")}${place.proxyPath}`, headers, tls, via: "kubernetesApi" };
  }

  async function measureByPortForward(probe: TcpProbe, place: Place, signal: AbortSignal): Promise<Measurement> {
    const startedAtMs = clock.nowMs();
    const measured = (verdict: Measurement["verdict"], message: string): Measurement => ({
      probe: probe.name,
      verdict,
      startedAtMs,
      durationMs: clock.nowMs() - startedAtMs,
      message,
    });
    const pod = await place.pod();
    if (!pod) return measured("fail", "expected a connection, measured none: no Pod is ready");
    const refused = await forwardOnce(options.configuration, options.namespace, pod.name, containerPort, clock, signal);
    return refused === undefined
      ? measured("pass", `connected to Pod ${pod.name} through the Kubernetes API`)
      : measured("fail", `expected a connection, measured none: ${refused}`);
  }
}

/** A hook that takes as long as the probe's time-out is given up. */
function hookLimitMs({ timeoutMs }: LagProbe): number {
  return timeoutMs ?? probeDefaults.timeoutMs;
}

/** Thrown when the target is known to have nothing that could answer. */
class NothingThere extends Error {
  override readonly name = "NothingThere";
}

function directPlace(scheme: "http" | "https", { host, port, headers }: Place): HttpPlace {
  const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { url, ...(headers ? { headers } : {}) };
}

/** Forwards a port once; gives what the Pod's node says against it, if anything. */
async function forwardOnce(
  configuration: KubeConfig,
  namespace: string,
  pod: string,
  port: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const errors = new PassThrough();
  const said: string[] = [];
  errors.on("data", (chunk: Buffer) => said.push(chunk.toString("utf8")));
  const { PortForward } = await import("@kubernetes/client-node");
  const connection = await new PortForward(configuration).portForward(
    namespace,
    pod,
    [port],
    new PassThrough(),
    errors,
    new PassThrough(),
  );
  await clock.sleep(connectLimitMs / 4, signal);
  const socket = typeof connection === "function" ? connection() : connection;
  socket?.close();
  return said.length > 0 ? said.join("").trim() : undefined;
}
