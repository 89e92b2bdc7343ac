import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createProgress, type LoadReport, type RunResult } from "@bascule/rig";
import { openScene, type ReleaseOptions, type Scene } from "../harness/scene.ts";
import { startLiveView } from "./live-view.ts";
import { timelineOf } from "./timeline.ts";

/** Where the demo leaves its journals: they outlive the project that it makes and removes. */
const records = fileURLToPath(new URL("../../../.bascule/demo", import.meta.url));

/** What the demo's clients do: new connections as most do, and a few that keep theirs. */
const traffic = [
  { ratePerSecond: 200, connections: "new" },
  { ratePerSecond: 20, connections: "keptAlive" },
] as const;

const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const progress = createProgress((line) => console.log(line));

const scene = await openScene({ progress, keep: values.keep });
try {
  await runDemo(scene);
  if (values.keep) sayHowToLook(scene);
} finally {
  progress(values.keep ? "leaving everything as it is" : "removing everything");
  await scene.close();
}
progress("done");

async function runDemo(demo: Scene): Promise<void> {
  progress("v1: first deployment");
  mustEnd(await demo.release({ version: "v1" }), "well");

  progress("v2: blue/green release under 220 requests a second");
  const good = await releaseUnderLoad(demo, { version: "v2" });
  mustEnd(good.result, "well");
  await report(demo, "v2", good.reports);

  progress("v3: fails as soon as it has traffic, so it has to be put back");
  const bad = await releaseUnderLoad(demo, { version: "v3", behaviour: { FAIL_BEHIND_SERVICE: "true" } });
  mustEnd(bad.result, "with an error");
  console.log(`\n  pulumi up says: ${/web: web-\w+ was not accepted.*/.exec(bad.result.output)?.[0] ?? "nothing"}`);
  await report(demo, "v3", bad.reports);
}

async function releaseUnderLoad(demo: Scene, release: ReleaseOptions) {
  const loads = await Promise.all(traffic.map((options) => demo.load(options)));
  const view = startLiveView({
    title: `release of ${release.version}`,
    journalPath: demo.journalPath(release.version),
    loads,
  });
  const result = await demo.release(release);
  await view.stop();
  return { result, reports: await Promise.all(loads.map((load) => load.stop())) };
}

async function report(demo: Scene, version: string, reports: readonly LoadReport[]): Promise<void> {
  console.log(`\n  timeline of ${version}`);
  for (const line of await timelineOf(demo.journalPath(version))) console.log(`    ${line}`);
  const total = (field: "sent" | "bad" | "lost") => reports.reduce((sum, { [field]: count }) => sum + count, 0);
  const window = Math.max(...reports.map(({ badWindowMs }) => badWindowMs));
  console.log(
    `  clients: ${total("sent")} requests, ${total("lost")} lost, ${total("bad")} bad answers${window > 0 ? ` within ${Math.round(window)} ms` : ""}`,
  );
  await mkdir(records, { recursive: true });
  const journal = join(records, `web-${version}.jsonl`);
  await copyFile(demo.journalPath(version), journal);
  console.log(`  journal: ${journal}\n`);
}

function mustEnd(result: RunResult, how: "well" | "with an error"): void {
  if ((result.exitCode === 0) !== (how === "well")) {
    throw new Error(`pulumi up ended with code ${result.exitCode}, but it should have ended ${how}:\n${result.output}`);
  }
}

function sayHowToLook({ cluster, namespace, projectDirectory }: Scene): void {
  console.log(`The cluster (${cluster.description}) goes on. Look at it with:
  export KUBECONFIG=${cluster.kubeconfigPath}
  kubectl --context ${cluster.context} --namespace ${namespace.name} get service,deployment,pod
The Pulumi project is ${projectDirectory}.
Stop the cluster with: npx -y -p node@24 -p pnpm@12 -- pnpm rig down`);
}
