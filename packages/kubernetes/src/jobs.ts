import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ApiError, type Api } from "./api.ts";

/** How often the state of a Job or of its Pod is looked at. */
export const jobPollMs = 250;

const logLines = 5;

/** The path of the Jobs of a namespace. */
export function jobsOf(namespace: string): string {
  return `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs`;
}

/** Removes a Job and its Pods, and comes back when they are gone. No Job is fine too. */
export async function removeJob(api: Api, path: string, signal: AbortSignal): Promise<void> {
  try {
    // Without this policy the API server orphans the Pods of a Job, which then go on; it has to stand in the body, because a body
    // outweighs parameters (https://kubernetes.io/docs/concepts/workloads/controllers/job).
    const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground" };
    await api.send({ method: "DELETE", path, body }, z.unknown(), signal);
    for (;;) {
      await api.send({ method: "GET", path }, z.unknown(), signal);
      await sleep(jobPollMs, undefined, { signal });
    }
  } catch (thrown) {
    if (!(thrown instanceof ApiError && thrown.status === 404)) throw thrown;
  }
}

/** The last lines that a container of a Pod printed. @throws ApiError when they cannot be read */
export async function logOf(api: Api, pod: string, container: string, signal: AbortSignal): Promise<string> {
  return (await api.text(`${pod}/log?container=${container}&tailLines=${logLines}`, signal)).trim();
}

/** The same for a message; never throws. */
export async function lastLinesOf(api: Api, pod: string, container: string, signal: AbortSignal): Promise<string> {
  try {
    return await logOf(api, pod, container, signal);
  } catch {
    return "its log cannot be read";
  }
}
