import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { addresses } from "./addresses.ts";
import type { Layout } from "./configuration.ts";
import { inside, type Isolation } from "./isolation.ts";

/** One program of the cluster, ready to start. */
export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** The paths of the programs. */
export type ProgramPaths = Readonly<
  Record<"etcd" | "containerd" | "shim" | "apiServer" | "controllerManager" | "scheduler" | "kubelet" | "proxy", string>
>;

/**
 * Runs a command as a child of the namespaces' first process. As a child of nsenter it would have its parent outside: one that stops
 * when the program is stopped, and then never lets the killed namespaces end.
 */
const behind = ["sh", "-c", '"$@" &', "sh"];

/** Starts a program inside the namespaces; its output goes to a log. It lives until the namespaces end. */
export function start(program: Program, files: Layout, isolation: Isolation): void {
  const log = openSync(logOf(program.name, files), "a");
  const [command, ...parameters] = inside(isolation, [...behind, ...program.command]);
  const child = spawn(command ?? "nsenter", parameters, {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...program.environment },
  });
  child.unref();
  closeSync(log);
}

/** The last lines of a program's log, for an error that has to say why. */
export function tailOf(name: string, files: Layout, lines = 15): string {
  try {
    return `\nThe end of ${logOf(name, files)}:\n${readFileSync(logOf(name, files), "utf8").trimEnd().split("\n").slice(-lines).join("\n")}`;
  } catch {
    return "";
  }
}

function logOf(name: string, files: Layout): string {
  return join(files.logs, `${name}.log`);
}

export function etcd(paths: ProgramPaths, files: Layout): Program {
  const url = "http://127.0.0.1:2379";
  const peer = "http://127.0.0.1:2380";
  return {
    name: "etcd",
    command: [
      paths.etcd,
      "--data-dir",
      join(files.data, "etcd"),
      "--listen-client-urls",
      url,
      "--advertise-client-urls",
      url,
      "--listen-peer-urls",
      peer,
      "--initial-advertise-peer-urls",
      peer,
      "--initial-cluster",
      `default=${peer}`,
      "--unsafe-no-fsync",
    ],
  };
}

export function containerd(paths: ProgramPaths, files: Layout): Program {
  return {
    name: "containerd",
    command: [paths.containerd, "--config", join(files.configuration, "containerd.toml")],
    environment: { PATH: `${dirname(paths.shim)}:/usr/sbin:/usr/bin:/sbin:/bin` },
  };
}

export function apiServer(paths: ProgramPaths, files: Layout): Program {
  const certificate = (name: string) => join(files.certificates, name);
  return {
    name: "kube-apiserver",
    command: [
      paths.apiServer,
      "--etcd-servers=http://127.0.0.1:2379",
      `--advertise-address=${addresses.node}`,
      `--secure-port=${addresses.apiPort}`,
      `--service-cluster-ip-range=${addresses.serviceNetwork}`,
      "--authorization-mode=Node,RBAC",
      "--allow-privileged=true",
      `--client-ca-file=${certificate("ca.crt")}`,
      `--tls-cert-file=${certificate("apiserver.crt")}`,
      `--tls-private-key-file=${certificate("apiserver.key")}`,
      `--kubelet-certificate-authority=${certificate("ca.crt")}`,
      `--kubelet-client-certificate=${certificate("apiserver-kubelet-client.crt")}`,
      `--kubelet-client-key=${certificate("apiserver-kubelet-client.key")}`,
      "--kubelet-preferred-address-types=InternalIP",
      `--service-account-key-file=${certificate("service-account.key")}`,
      `--service-account-signing-key-file=${certificate("service-account.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      "--shutdown-delay-duration=0s",
    ],
  };
}

export function controllerManager(paths: ProgramPaths, files: Layout): Program {
  return {
    name: "kube-controller-manager",
    command: [
      paths.controllerManager,
      `--kubeconfig=${files.kubeconfig("controller-manager")}`,
      "--leader-elect=false",
      "--use-service-account-credentials=true",
      `--service-account-private-key-file=${join(files.certificates, "service-account.key")}`,
      `--root-ca-file=${join(files.certificates, "ca.crt")}`,
      "--kube-api-qps=200",
      "--kube-api-burst=400",
    ],
  };
}

export function scheduler(paths: ProgramPaths, files: Layout): Program {
  return {
    name: "kube-scheduler",
    command: [paths.scheduler, `--kubeconfig=${files.kubeconfig("scheduler")}`, "--leader-elect=false"],
  };
}

export function kubelet(paths: ProgramPaths, files: Layout): Program {
  return {
    name: "kubelet",
    command: [
      paths.kubelet,
      `--config=${join(files.configuration, "kubelet.json")}`,
      `--kubeconfig=${files.kubeconfig("kubelet")}`,
      `--root-dir=${join(files.data, "kubelet")}`,
      `--hostname-override=${addresses.nodeName}`,
      // Told, because the kubelet would otherwise ask a name server that nobody reaches from here.
      `--node-ip=${addresses.node}`,
      "--v=1",
    ],
  };
}

export function traefik(path: string, files: Layout): Program {
  return {
    name: "traefik",
    command: [path, `--configfile=${join(files.configuration, "traefik.yaml")}`],
    // Where this machine is itself a Pod, its own cluster must not be taken for this one.
    environment: { KUBECONFIG: files.kubeconfig("gateway"), KUBERNETES_SERVICE_HOST: "" },
  };
}

export function proxy(paths: ProgramPaths, files: Layout): Program {
  return { name: "kube-proxy", command: [paths.proxy, `--config=${join(files.configuration, "proxy.json")}`] };
}
