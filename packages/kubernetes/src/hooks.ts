import { setTimeout as sleep } from "node:timers/promises";
import type { Hooks } from "@bascule/engine";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";
import { jobPollMs, jobsOf, lastLinesOf, removeJob } from "./jobs.ts";
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
const podSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });

const hookLabel = "bascule.dev/hook";
const longestJobSeconds = 86_400;
const removeLimitMs = 30_000;

/** Runs hooks as Jobs, one at a time, each made anew and removed afterwards. */
export function kubernetesHooks(
  api: Api,
  release: string,
  namespace: string,
  hooks: Readonly<Record<string, Hook>>,
): Hooks {
  const jobs = jobsOf(namespace);
  return {
    run: async (name, signal) => {
      const hook = hooks[name];
      if (!hook) {
        const known = Object.keys(hooks);
        throw new Error(
          `There is no hook ${JSON.stringify(name)}; the program declares ${known.length > 0 ? known.join(", ") : "none"}. Declare it, so that what was begun can be ended.`,
        );
      }
      const job = `${release}-hook-${name}`.slice(0, 63).replace(/[^a-z0-9]+$/, "");
      const path = `${jobs}/${encodeURIComponent(job)}`;
      await removeJob(api, path, signal);
      try {
        await api.send({ method: "POST", path: jobs, body: jobOf(job, release, hook) }, z.unknown(), signal);
        await untilDone(api, namespace, name, job, path, signal);
      } finally {
        await removeJob(api, path, AbortSignal.timeout(removeLimitMs)).catch(() => {
          // The next run removes it before it makes its own.
        });
      }
    },
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
  const pods = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  try {
    const [pod] = await api.list(pods, { labelSelector: `${hookLabel}=${job}` }, podSchema, signal);
    return pod ? await lastLinesOf(api, `${pods}/${pod.metadata.name}`, "hook", signal) : "its Pod was not made";
  } catch (thrown) {
    if (thrown instanceof ApiError) return thrown.message;
    throw thrown;
  }
}

function jobOf(name: string, release: string, hook: Hook) {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, labels: { [releaseLabel]: release, "app.kubernetes.io/managed-by": "bascule" } },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: longestJobSeconds,
      ttlSecondsAfterFinished: 3600,
      template: {
        metadata: { labels: { [hookLabel]: name } },
        spec: {
          ...restrictedPod,
          restartPolicy: "Never",
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
