import { createWriteStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Writable } from "node:stream";
import { messageOf } from "@bascule/core";
import type { KubeConfig, V1Status } from "@kubernetes/client-node";
import type { SnapshotTaken } from "@bascule/pulumi";
import { z } from "zod";
import type { Api } from "../api.ts";
import { jobPollMs, jobsOf, lastLinesOf, removeJob } from "../jobs.ts";
import { releaseLabel } from "../labels.ts";
import { restrictedContainer, restrictedPod } from "../components/restricted.ts";
import type { DatabaseDumpSpec } from "./snapshot-spec.ts";
import { beginSnapshot } from "./snapshot-store.ts";

export interface DatabaseDumpRequest {
  readonly api: Api;
  readonly configuration: KubeConfig;
  readonly release: string;
  readonly namespace: string;
  readonly directory: string;
  readonly id: string;
  readonly takenAt: string;
  readonly spec: DatabaseDumpSpec;
}

const dumpFile = "/bascule/dump";
const defaultTimeoutMs = 1_800_000;
const deleteLimitMs = 30_000;

/**
 * Runs the dump in a Pod beside the database, brings it here, compares size and checksum at both ends, and runs the user's
 * restore test on it. The Job is removed whatever happened.
 */
export async function snapshotDatabase(request: DatabaseDumpRequest, signal: AbortSignal): Promise<SnapshotTaken> {
  const { api, directory, id, spec, takenAt } = request;
  const limitMs = spec.timeoutMs ?? defaultTimeoutMs;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  const jobs = jobsOf(request.namespace);
  const name = id.slice(0, 63).replace(/[^a-z0-9]+$/, "");
  const removeDumpJob = (limit: AbortSignal) => removeJob(api, `${jobs}/${name}`, limit);
  const draft = await beginSnapshot(directory, id, `databaseDump ${spec.name}`);
  let taken: SnapshotTaken;
  try {
    await removeDumpJob(limited);
    await api.send({ method: "POST", path: jobs, body: jobOf(name, request, limitMs) }, z.unknown(), limited);
    const pod = await dumpedPod(request, name, limited);
    const run = (command: readonly string[], output?: Writable) => execute(request, pod, command, output, limited);

    const measured = (await run(["sh", "-c", `wc -c < ${dumpFile} && sha256sum ${dumpFile}`])).trim().split(/\s+/);
    const expected = z
      .strictObject({ sizeBytes: z.coerce.number().int(), sha256: z.string().length(64) })
      .parse({ sizeBytes: measured[0], sha256: measured[1] });
    await run(["cat", dumpFile], createWriteStream(draft.contentPath, { flush: true, mode: 0o600 }));
    await run(["env", `BASCULE_DUMP_FILE=${dumpFile}`, ...spec.restoreTest]).catch((cause: unknown) => {
      throw new Error(`Its restore test failed: ${messageOf(cause)}`, { cause });
    });
    taken = await draft.keep(expected, takenAt);
  } catch (thrown) {
    await draft.discard();
    await removeDumpJob(AbortSignal.timeout(deleteLimitMs)).catch(() => {
      // Its deadline ends it; why there is no dump is what has to be told.
    });
    throw new Error(`The dump ${spec.name} cannot be trusted. ${messageOf(thrown)}`, { cause: thrown });
  }
  await removeDumpJob(AbortSignal.timeout(deleteLimitMs));
  return taken;
}

function jobOf(name: string, { release, spec }: DatabaseDumpRequest, limitMs: number) {
  const container = {
    image: spec.image,
    env: Object.entries(spec.environment ?? {}).map(([key, value]) => ({ name: key, value })),
    envFrom: (spec.environmentFromSecrets ?? []).map((secret) => ({ secretRef: { name: secret } })),
    volumeMounts: [{ name: "dump", mountPath: "/bascule" }],
    securityContext: restrictedContainer,
    resources: { requests: { cpu: "50m", memory: "64Mi" } },
  };
  const seconds = Math.ceil(limitMs / 1000);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, labels: { [releaseLabel]: release, "app.kubernetes.io/managed-by": "bascule" } },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: seconds,
      ttlSecondsAfterFinished: 3600,
      template: {
        metadata: { labels: { "bascule.dev/snapshot": name } },
        spec: {
          ...restrictedPod,
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          // A shell or `sleep` as the first process of a container does not heed the request to end.
          terminationGracePeriodSeconds: 1,
          volumes: [{ name: "dump", emptyDir: {} }],
          initContainers: [
            { name: "dump", ...container, command: ["sh", "-c", `"$@" > ${dumpFile}`, "dump", ...spec.command] },
          ],
          // Keeps the Pod, and with it the dump, until it was fetched.
          containers: [{ name: "keep", ...container, command: ["sleep", String(seconds)] }],
        },
      },
    },
  };
}

const podSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  status: z
    .looseObject({
      phase: z.string().optional(),
      initContainerStatuses: z
        .array(
          z.looseObject({
            state: z
              .looseObject({
                terminated: z.looseObject({ exitCode: z.number() }).optional(),
                waiting: z.looseObject({ reason: z.string().optional() }).optional(),
              })
              .default({}),
          }),
        )
        .default([]),
      containerStatuses: z
        .array(z.looseObject({ state: z.looseObject({ running: z.unknown().optional() }).default({}) }))
        .default([]),
    })
    .default({ initContainerStatuses: [], containerStatuses: [] }),
});

/** The Pod's name, once its dump is complete. */
async function dumpedPod({ api, namespace }: DatabaseDumpRequest, name: string, signal: AbortSignal): Promise<string> {
  const pods = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  let last = "its Pod was not made";
  for (;;) {
    const [pod] = await api.list(pods, { labelSelector: `bascule.dev/snapshot=${name}` }, podSchema, signal);
    const status = pod?.status;
    const exitCode = status?.initContainerStatuses[0]?.state.terminated?.exitCode;
    if (pod && exitCode !== undefined && exitCode !== 0) {
      throw new Error(
        `Its command ended with code ${exitCode}: ${await lastLinesOf(api, `${pods}/${pod.metadata.name}`, "dump", signal)}`,
      );
    }
    if (pod && status?.containerStatuses[0]?.state.running) return pod.metadata.name;
    last = status?.initContainerStatuses[0]?.state.waiting?.reason ?? status?.phase ?? last;
    await sleep(jobPollMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Error(`It took too long; the last that was seen of it: ${last}.`);
  }
}

/** Runs a command in the kept Pod. @throws Error with what it printed when it does not end with 0 */
async function execute(
  { configuration, namespace }: DatabaseDumpRequest,
  pod: string,
  command: readonly string[],
  output: Writable | undefined,
  signal: AbortSignal,
): Promise<string> {
  const printed: Buffer[] = [];
  const complaints: Buffer[] = [];
  const { Exec } = await import("@kubernetes/client-node");
  const status = await new Promise<V1Status>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error(`${command[0]} took too long.`)), { once: true });
    new Exec(configuration)
      .exec(namespace, pod, "keep", [...command], output ?? collect(printed), collect(complaints), null, false, resolve)
      .then((socket) => signal.addEventListener("abort", () => socket.close(), { once: true }), reject);
  });
  if (output) await new Promise<void>((resolve, reject) => output.on("error", reject).end(resolve));
  if (status.status !== "Success") {
    const said = Buffer.concat(complaints).toString("utf8").trim().split("\n").slice(-5).join("\n");
    throw new Error(`${command.slice(0, 3).join(" ")}: ${said || status.message || "failed"}`);
  }
  return Buffer.concat(printed).toString("utf8");
}

function collect(chunks: Buffer[]): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
}
