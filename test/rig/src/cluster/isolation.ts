import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { addresses } from "./addresses.ts";

/** The namespaces that a cluster lives in, named by the process that keeps them open. */
export interface Isolation {
  readonly processId: number;
}

const openLimitMs = 5_000;

/** Reaps what the cluster's programs leave behind, as a namespace's first process must, and gives them private mounts. */
const firstProcess = `
mount --make-rshared / &&
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && mkdir -p /run/bascule &&
ip link set lo up && touch /run/bascule/open || exit 1
while :; do sleep 3600 & wait; done`;

/**
 * Opens a network, mount and process namespace of their own, joined to this host by one pair of virtual interfaces. Whatever the
 * cluster makes inside (processes, mounts, bridges, iptables rules) ends with the first process.
 */
export async function openIsolation(): Promise<Isolation> {
  const outer = spawn(
    "unshare",
    [
      "--net",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "--propagation",
      "private",
      "bash",
      "-c",
      firstProcess,
    ],
    { detached: true, stdio: "ignore" },
  );
  outer.unref();
  if (outer.pid === undefined) throw new Error("unshare could not be started: install util-linux, and run as root.");
  const isolation = { processId: await firstChildOf(outer.pid) };
  await waitFor(
    "the cluster's namespaces",
    openLimitMs,
    async () => (await run(isolation, ["test", "-e", "/run/bascule/open"])).exitCode === 0,
  );
  await connect(isolation);
  return isolation;
}

/** The command, and its arguments, that run inside the namespaces. */
export function inside({ processId }: Isolation, command: readonly string[]): readonly string[] {
  return ["nsenter", "--target", String(processId), "--net", "--mount", "--pid", "--", ...command];
}

/** The processes of this name in the namespaces of the cluster's first process, and in no other cluster's. */
export function processesInside({ processId: first }: Isolation, name: string): readonly number[] {
  const namespace = readlinkSync(`/proc/${first}/ns/pid`);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((processId) => {
      try {
        return (
          readFileSync(`/proc/${processId}/comm`, "utf8").trim() === name &&
          readlinkSync(`/proc/${processId}/ns/pid`) === namespace
        );
      } catch {
        // It ended in the meantime.
        return false;
      }
    });
}

/** Ends everything inside, and removes what stands outside: the interface pair and the containers' control groups. */
export async function closeIsolation({ processId }: Isolation): Promise<void> {
  try {
    process.kill(processId, "SIGKILL");
  } catch {
    // It is gone already, which is what is wanted.
  }
  await waitFor("the cluster's processes to end", 20_000, async () => !isAlive(processId));
  await removeTraces();
}

/** Removes what a cluster leaves outside its namespaces; harmless when there is nothing. */
export async function removeTraces(): Promise<void> {
  await execa("ip", ["link", "delete", addresses.hostInterface], { reject: false });
  for (const controller of readdirSync("/sys/fs/cgroup")) {
    for (const group of ["k8s.io", "kubepods"]) removeControlGroup(join("/sys/fs/cgroup", controller, group));
  }
}

async function connect(isolation: Isolation): Promise<void> {
  const { hostInterface, host, node, linkPrefix, podNetwork, serviceNetwork } = addresses;
  await execa("ip", [
    "link",
    "add",
    hostInterface,
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "netns",
    String(isolation.processId),
  ]);
  await execa("ip", ["address", "add", `${host}/${linkPrefix}`, "dev", hostInterface]);
  await execa("ip", ["link", "set", hostInterface, "up"]);
  await run(isolation, ["ip", "address", "add", `${node}/${linkPrefix}`, "dev", "eth0"], true);
  await run(isolation, ["ip", "link", "set", "eth0", "up"], true);
  await run(isolation, ["ip", "route", "add", "default", "via", host], true);
  await run(isolation, ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1"], true);
  for (const network of [podNetwork, serviceNetwork]) await execa("ip", ["route", "replace", network, "via", node]);
}

async function run(
  isolation: Isolation,
  command: readonly string[],
  reject = false,
): Promise<{ readonly exitCode?: number | undefined }> {
  const [program, ...parameters] = inside(isolation, command);
  return execa(program ?? "nsenter", parameters, { reject, timeout: 10_000 });
}

async function firstChildOf(processId: number): Promise<number> {
  let child = 0;
  await waitFor("unshare to start", openLimitMs, async () => {
    child = Number(readFileSync(`/proc/${processId}/task/${processId}/children`, "utf8").trim().split(" ")[0]);
    return child > 0;
  });
  return child;
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

function removeControlGroup(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeControlGroup(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch {
    // A controller without such a group has nothing to remove.
  }
}

/** Asks until the answer is yes. @throws Error naming what was waited for when the time is over */
export async function waitFor(
  what: string,
  limitMs: number,
  isDone: () => Promise<boolean>,
  onTimeout: () => string = () => "",
): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!(await isDone())) {
    if (performance.now() > deadlineMs)
      throw new Error(`Waited ${limitMs / 1000} s in vain for ${what}.${onTimeout()}`);
    await sleep(50);
  }
}
