import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { messageOf, type Measurement, type Probe, type VersionId } from "@bascule/core";
import type { Clock, Prober, ProbeRequest } from "@bascule/engine";
import { measureHttp, measureTcp, type HttpPlace } from "@bascule/probes";
import { PortForward, type KubeConfig } from "@kubernetes/client-node";
import type { Api } from "./api.ts";
import type { ClusterAddress } from "./cluster-address.ts";
import type { ServiceRouter } from "./router/service-router.ts";
import type { ServiceShape } from "./router/service-shape.ts";
import type { KubernetesWorkload, ReadyPod } from "./workload.ts";

export interface KubernetesProberOptions {
  readonly api: Api;
  readonly configuration: KubeConfig;
  readonly workload: KubernetesWorkload;
  readonly router: ServiceRouter;
  readonly shape: ServiceShape;
  readonly candidate: VersionId;
  /** The port that the container listens on. */
  readonly containerPort: number;
  readonly reach: ClusterAddress["reach"];
  readonly clock: Clock;
}

/** Where one measurement goes: an address, and the way through the Kubernetes API to the same. */
interface Place {
  readonly host: string;
  readonly port: number;
  /** Below the API server's address. */
  readonly proxyPath: string;
  /** A Pod that a port can be forwarded to. */
  readonly pod: () => Promise<ReadyPod | undefined>;
}

const connectLimitMs = 1_000;
const readLimitMs = 5_000;

/** Measures the candidate at each of its Pods in turn, and the service at the address that its clients use. */
export function kubernetesProber(options: KubernetesProberOptions): Prober {
  const { api, workload, router, shape, candidate, containerPort, clock } = options;
  const [servicePort] = shape.ports;
  const namespace = encodeURIComponent(shape.namespace);
  let pods: readonly ReadyPod[] = [];
  let serviceAddress: string | undefined;
  let reach: Promise<"direct" | "kubernetesApi"> | undefined;

  const limited = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(readLimitMs)]);

  /** The API server may be away just now; the address that clients use was known before and does not change. */
  const learnServiceAddress = async (signal: AbortSignal): Promise<void> => {
    serviceAddress = (await router.read(limited(signal)).catch(() => undefined))?.spec.clusterIP ?? serviceAddress;
  };

  const candidatePlace = async ({ sequence }: ProbeRequest, signal: AbortSignal): Promise<Place> => {
    // Learned while there is time, because right after a switch every moment counts.
    if (sequence === 0) await learnServiceAddress(signal);
    if (sequence % Math.max(1, pods.length) === 0) pods = await workload.readyPods(candidate, limited(signal));
    const pod = pods[sequence % Math.max(1, pods.length)];
    if (!pod) throw new NothingThere(`no Pod of ${candidate} is ready`);
    return {
      host: pod.address,
      port: containerPort,
      proxyPath: `/api/v1/namespaces/${namespace}/pods/${pod.name}:${containerPort}/proxy`,
      pod: () => Promise.resolve(pod),
    };
  };

  const servicePlace = async ({ expected, sequence }: ProbeRequest, signal: AbortSignal): Promise<Place> => {
    if (serviceAddress === undefined || sequence === 0) await learnServiceAddress(signal);
    if (serviceAddress === undefined)
      throw new NothingThere(`the Service ${shape.namespace}/${shape.name} has no address`);
    const port = servicePort?.port ?? 0;
    return {
      host: serviceAddress,
      port,
      proxyPath: `/api/v1/namespaces/${namespace}/services/${encodeURIComponent(shape.name)}:${port}/proxy`,
      pod: async () => {
        const versions = Object.keys(expected);
        const ready = await Promise.all(versions.map((version) => workload.readyPods(version, limited(signal))));
        return ready.flat()[0];
      },
    };
  };

  return {
    places: async (target, signal) => {
      if (target !== "candidate") return 1;
      return Math.max(1, (await workload.readyPods(candidate, limited(signal))).length);
    },

    measure: async (request, signal) => {
      const startedAtMs = clock.nowMs();
      try {
        const place =
          request.target === "candidate" ? await candidatePlace(request, signal) : await servicePlace(request, signal);
        reach ??= findReach(options.reach ?? "auto", place, signal);
        return await measureAt(request.probe, place, await reach, signal);
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
    probe: Probe,
    place: Place,
    way: "direct" | "kubernetesApi",
    signal: AbortSignal,
  ): Promise<Measurement> {
    if (probe.kind === "tcp") {
      return way === "direct" ? measureTcp(probe, place, clock, signal) : measureByPortForward(probe, place, signal);
    }
    return measureHttp(probe, way === "direct" ? directPlace(probe, place) : await proxyPlace(place), clock, signal);
  }

  async function proxyPlace(place: Place): Promise<HttpPlace> {
    const { headers, ...tls } = await api.credentials();
    return { url: `${api.server.replace(/\/$/, "")}${place.proxyPath}`, headers, tls, via: "kubernetesApi" };
  }

  async function measureByPortForward(probe: Probe, place: Place, signal: AbortSignal): Promise<Measurement> {
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
    const refused = await forwardOnce(options.configuration, shape.namespace, pod.name, containerPort, clock, signal);
    return refused === undefined
      ? measured("pass", `connected to Pod ${pod.name} through the Kubernetes API`)
      : measured("fail", `expected a connection, measured none: ${refused}`);
  }
}

/** Thrown when the target is known to have nothing that could answer. */
class NothingThere extends Error {
  override readonly name = "NothingThere";
}

function directPlace(probe: Probe, { host, port }: Place): HttpPlace {
  const scheme = probe.kind === "http" ? (probe.scheme ?? "http") : "http";
  return { url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}` };
}

async function findReach(
  wanted: NonNullable<ClusterAddress["reach"]>,
  place: Place,
  signal: AbortSignal,
): Promise<"direct" | "kubernetesApi"> {
  if (wanted !== "auto") return wanted;
  return (await answers(place, signal)) ? "direct" : "kubernetesApi";
}

/** Whether the address can be reached at all: being refused counts, no answer does not. */
function answers({ host, port }: Place, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal: AbortSignal.any([signal, AbortSignal.timeout(connectLimitMs)]) });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (error) => resolve("code" in error && error.code === "ECONNREFUSED"));
  });
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
