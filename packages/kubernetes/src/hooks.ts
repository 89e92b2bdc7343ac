import { setTimeout as sleep } from "node:timers/promises";
import type { Hooks } from "@bascule/engine";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { jobPollMs, jobsOf, lastLinesOf, logOf, removeJob } from "./jobs.ts";
import { releaseLabel } from "./labels.ts";
import { restrictedContainer, restrictedPod } from "./components/restricted.ts";

const text = z.string().min(1);

/** What runs at a step of a plan: a command in a container of its own, in the release's namespace. It may be run twice. */
export const hookSchema = z.strictObject({
  image: text,
  /** Ends with 0 when it has done its work, also when that was done before. */
  command: z.array(text).min(1, { error: 'must be a command, for example ["sync-orders", "--once"]' }),
  environment: z.record(z.string(), z.string()).optional(),
  /** Secrets in the namespace whose keys become the command's environment; their values never pass through here. */
  environmentFromSecrets: z.array(text).optional(),
});
export type Hook = z.infer<typeof hookSchema>;

const jobSchema = z.looseObject({
  status: z
    .looseObject({ succeeded: z.number().default(0), failed: z.number().default(0) })
    .default({ succeeded: 0, failed: 0 }),
});
const namedSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });

const hookLabel = "bascule.dev/hook";
const longestJobSeconds = 86_400;
const removeLimitMs = 30_000;

/** Hooks that run as Jobs. */
export interface KubernetesHooks extends Hooks {
  /**
   * Runs a hook that tells something, and gives the last line that it printed.
   *
   * @throws Error when there is no such hook, or it failed
   */
  tell(name: string, signal: AbortSignal): Promise<string>;
}

/** Runs hooks as Jobs, each made anew and removed afterwards. */
export function kubernetesHooks(
  api: Api,
  release: string,
  namespace: string,
  hooks: Readonly<Record<string, Hook>>,
): KubernetesHooks {
  const jobs = jobsOf(namespace);
  const pathOf = (job: string) => `${jobs}/${encodeURIComponent(job)}`;
  const jobNameOf = (name: string) => `${release}-hook-${name}`.slice(0, 63).replace(/[^a-z0-9]+$/, "");

  const runJob = async <Result>(
    name: string,
    whenDone: (job: string) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> => {
    const hook = hooks[name];
    if (!hook) {
      const known = Object.keys(hooks);
      throw new Error(
        `There is no hook ${JSON.stringify(name)}; the program declares ${known.length > 0 ? known.join(", ") : "none"}. Declare it, so that what was begun can be ended.`,
      );
    }
    const job = jobNameOf(name);
    await removeJob(api, pathOf(job), signal);
    try {
      await api.send({ method: "POST", path: jobs, body: jobOf(job, release, hook) }, z.unknown(), signal);
      await untilDone(api, namespace, name, job, pathOf(job), signal);
      return await whenDone(job);
    } finally {
      await removeJob(api, pathOf(job), AbortSignal.timeout(removeLimitMs)).catch(() => {
        // The next run removes it before it makes its own.
      });
    }
  };

  return {
    run: async (name, signal) => {
      // A hook of a run that was killed may still be at work, and must not undo what this one does.
      const left = await api.list(
        jobs,
        { labelSelector: `${releaseLabel}=${release},${hookLabel}` },
        namedSchema,
        signal,
      );
      for (const { metadata } of left) await removeJob(api, pathOf(metadata.name), signal);
      await runJob(name, () => Promise.resolve(), signal);
    },
    tell: (name, signal) =>
      runJob(
        name,
        async (job) => {
          const pod = await podOf(api, namespace, job, signal);
          const lines = pod === undefined ? [] : (await logOf(api, pod, "hook", signal)).split("\n");
          return lines.findLast((line) => line.trim() !== "")?.trim() ?? "";
        },
        signal,
      ),
  };
}

async function untilDone(
  api: Api,
  namespace: string,
  name: string,
  job: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { status } = await api.send({ method: "GET", path }, jobSchema, signal);
    if (status.succeeded > 0) return;
    if (status.failed > 0) throw new Error(`The hook ${name} failed: ${await said(api, namespace, job, signal)}`);
    await sleep(jobPollMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Error(`The hook ${name} did not end in time.`);
  }
}

async function said(api: Api, namespace: string, job: string, signal: AbortSignal): Promise<string> {
  try {
    const pod = await podOf(api, namespace, job, signal);
    return pod === undefined ? "its Pod was not made" : await lastLinesOf(api, pod, "hook", signal);
  } catch (thrown) {
    if (thrown instanceof ApiError) return thrown.message;
    throw thrown;
  }
}

/** The path of a Job's Pod. */
async function podOf(api: Api, namespace: string, job: string, signal: AbortSignal): Promise<string | undefined> {
  const pods = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const [pod] = await api.list(pods, { labelSelector: `${hookLabel}=${job}` }, namedSchema, signal);
  return pod && `${pods}/${encodeURIComponent(pod.metadata.name)}`;
}

function jobOf(name: string, release: string, hook: Hook) {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      labels: { [releaseLabel]: release, [hookLabel]: name, "app.kubernetes.io/managed-by": "bascule" },
    },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: longestJobSeconds,
      ttlSecondsAfterFinished: 3600,
      template: {
        metadata: { labels: { [hookLabel]: name } },
        spec: {
          ...restrictedPod,
          restartPolicy: "Never",
          // A hook that is broken off keeps the way back waiting, and it has to bear that anyway.
          terminationGracePeriodSeconds: 3,
          automountServiceAccountToken: false,
          containers: [
            {
              name: "hook",
              image: hook.image,
              command: hook.command,
              env: Object.entries(hook.environment ?? {}).map(([key, value]) => ({ name: key, value })),
              envFrom: (hook.environmentFromSecrets ?? []).map((secret) => ({ secretRef: { name: secret } })),
              securityContext: restrictedContainer,
              resources: { requests: { cpu: "20m", memory: "32Mi" } },
            },
          ],
        },
      },
    },
  };
}
