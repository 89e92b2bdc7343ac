import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Api } from "./api.ts";
import { kubernetesHooks, type Hook } from "./hooks.ts";
import { startFakeKubernetesApi, type FakeKubernetesApi } from "./kubernetes-api.fake.ts";

const jobs = "/apis/batch/v1/namespaces/shop/jobs/";
const pods = "/api/v1/namespaces/shop/pods/";
const hook: Hook = {
  image: "registry.example/sync:1",
  command: ["sync", "--once"],
  environment: { FROM: "old" },
  environmentFromSecrets: ["database"],
};
const hooks = { start: hook, lag: { ...hook, command: ["lag"] } };
const jobSchema = z.object({
  spec: z.looseObject({
    backoffLimit: z.number(),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({ containers: z.array(z.looseObject({ command: z.array(z.string()) })) }),
    }),
  }),
});

let fake: FakeKubernetesApi;
let api: Api;
/** What becomes of a Job, by the status that it gets when it is made. */
let outcome: Readonly<Record<string, number>>;
let log: string;

beforeEach(async () => {
  fake = await startFakeKubernetesApi();
  api = { ...fake.api, text: () => Promise.resolve(log) };
  outcome = { succeeded: 1 };
  log = "";
  fake.onChange = ({ method, path }) => {
    const job = fake.objects.get(path);
    if (method !== "POST" || !path.startsWith(jobs) || !job) return;
    const { labels } = jobSchema.parse(job).spec.template.metadata;
    fake.objects.set(path, { ...job, status: outcome });
    fake.seed(`${pods}${path.slice(jobs.length)}-1`, { kind: "Pod", metadata: { labels } });
  };
});
afterEach(() => {
  fake.close();
});

const soon = () => AbortSignal.timeout(10_000);
const jobNames = () => [...fake.objects.keys()].filter((path) => path.startsWith(jobs));
const writes = () => fake.writes.map(({ method, path }) => `${method} ${path.slice(path.lastIndexOf("/") + 1)}`);

describe("a hook", () => {
  it("runs as a Job that is made for it and removed afterwards", async () => {
    await kubernetesHooks(api, "web", "shop", hooks).run("start", soon());
    expect(writes()).toEqual(["DELETE web-hook-start", "POST jobs", "DELETE web-hook-start"]);
    expect(jobNames()).toEqual([]);
  });

  it("is run once by its Job, with its command and environment, at the restricted Pod Security level", async () => {
    let made: unknown;
    const watch = fake.onChange;
    fake.onChange = (request) => {
      watch?.(request);
      if (request.method === "POST" && request.path.startsWith(jobs)) made = fake.objects.get(request.path);
    };
    await kubernetesHooks(api, "web", "shop", hooks).run("start", soon());
    expect(jobSchema.parse(made).spec).toMatchObject({
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true },
          containers: [
            {
              image: hook.image,
              command: hook.command,
              env: [{ name: "FROM", value: "old" }],
              envFrom: [{ secretRef: { name: "database" } }],
              securityContext: { allowPrivilegeEscalation: false },
            },
          ],
        },
      },
    });
  });

  it("takes its Pods along when it is removed, because those of a Job would go on otherwise", async () => {
    const removals: unknown[] = [];
    const watched: Api = {
      ...api,
      send: (request, schema, signal) => {
        if (request.method === "DELETE") removals.push(request.body);
        return fake.api.send(request, schema, signal);
      },
    };
    await kubernetesHooks(watched, "web", "shop", hooks).run("start", soon());
    expect(removals).toHaveLength(2);
    for (const body of removals) expect(body).toMatchObject({ propagationPolicy: "Foreground" });
  });

  it("that fails says what it printed last", async () => {
    outcome = { failed: 1 };
    log = "connecting\nno route to the old database\n";
    const running = kubernetesHooks(api, "web", "shop", hooks).run("start", soon());
    await expect(running).rejects.toThrow("The hook start failed: connecting\nno route to the old database");
    expect(jobNames()).toEqual([]);
  });

  it("that does not end in time is removed", async () => {
    outcome = {};
    const running = kubernetesHooks(api, "web", "shop", hooks).run("start", AbortSignal.timeout(300));
    await expect(running).rejects.toThrow("The hook start did not end in time.");
    expect(jobNames()).toEqual([]);
  });

  it("that nobody declares is refused, with the names of those that are", async () => {
    const running = kubernetesHooks(api, "web", "shop", hooks).run("stop", soon());
    await expect(running).rejects.toThrow('There is no hook "stop"; the program declares start, lag.');
    expect(fake.writes).toEqual([]);
  });

  it("begins when those of a run that was killed are gone: a late one must not undo what it does", async () => {
    const labels = { "bascule.dev/release": "web", "bascule.dev/hook": "web-hook-stop" };
    fake.seed(`${jobs}web-hook-stop`, { kind: "Job", metadata: { labels } });
    fake.seed(`${jobs}shop-hook-stop`, {
      kind: "Job",
      metadata: { labels: { ...labels, "bascule.dev/release": "shop" } },
    });
    await kubernetesHooks(api, "web", "shop", hooks).run("start", soon());
    expect(writes().slice(0, 2)).toEqual(["DELETE web-hook-stop", "DELETE web-hook-start"]);
    expect(jobNames()).toEqual([`${jobs}shop-hook-stop`]);
  });
});

describe("a hook that tells something", () => {
  it("gives the last line that it printed", async () => {
    log = "asking the old database\n  1.25  \n\n";
    expect(await kubernetesHooks(api, "web", "shop", hooks).tell("lag", soon())).toBe("1.25");
    expect(jobNames()).toEqual([]);
  });

  it("gives nothing when it printed nothing", async () => {
    expect(await kubernetesHooks(api, "web", "shop", hooks).tell("lag", soon())).toBe("");
  });

  it("leaves the Jobs of others alone, because several may tell at once", async () => {
    const labels = { "bascule.dev/release": "web", "bascule.dev/hook": "web-hook-other" };
    fake.seed(`${jobs}web-hook-other`, { kind: "Job", metadata: { labels } });
    await kubernetesHooks(api, "web", "shop", hooks).tell("lag", soon());
    expect(jobNames()).toEqual([`${jobs}web-hook-other`]);
  });
});
