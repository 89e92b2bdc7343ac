import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addresses } from "./addresses.ts";
import { pauseImage } from "./images.ts";

/** Where a cluster's files are, all in one folder that goes when it stops. */
export function layout(folder: string) {
  return {
    folder,
    certificates: join(folder, "certificates"),
    logs: join(folder, "logs"),
    configuration: join(folder, "configuration"),
    data: join(folder, "data"),
    containerdSocket: "/run/bascule/containerd.sock",
    kubeconfig: (user: string) => join(folder, "configuration", `${user}.kubeconfig`),
  };
}
export type Layout = ReturnType<typeof layout>;

/** Writes the configuration files of all programs. */
export async function writeConfiguration(files: Layout, cniPlugins: string): Promise<void> {
  for (const path of [files.logs, files.configuration, join(files.configuration, "cni"), files.data]) {
    await mkdir(path, { recursive: true });
  }
  const write = (name: string, content: string) => writeFile(join(files.configuration, name), content, { mode: 0o600 });
  await Promise.all([
    ...["admin", "controller-manager", "scheduler", "proxy", "kubelet"].map((user) =>
      write(`${user}.kubeconfig`, kubeconfig(files, user)),
    ),
    write("containerd.toml", containerd(files, cniPlugins)),
    write(join("cni", "10-bascule.conflist"), JSON.stringify(cni(files))),
    write("kubelet.json", JSON.stringify(kubelet(files))),
    write("proxy.json", JSON.stringify(proxy(files))),
    write("resolv.conf", ""),
  ]);
}

/** What a user of the cluster needs; its certificate has the user's name. */
export function kubeconfig(files: Layout, user: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "bascule-rig",
    contexts: [{ name: "bascule-rig", context: { cluster: "bascule-rig", user } }],
    clusters: [
      {
        name: "bascule-rig",
        cluster: {
          server: `https://${addresses.node}:${addresses.apiPort}`,
          "certificate-authority": join(files.certificates, "ca.crt"),
        },
      },
    ],
    users: [
      {
        name: user,
        user: {
          "client-certificate": join(files.certificates, `${user}.crt`),
          "client-key": join(files.certificates, `${user}.key`),
        },
      },
    ],
  });
}

function containerd(files: Layout, cniPlugins: string): string {
  return `version = 3
root = "${join(files.data, "containerd")}"
state = "/run/bascule/containerd"
[grpc]
  address = "${files.containerdSocket}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${pauseImage}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["${cniPlugins}"]
  conf_dir = "${join(files.configuration, "cni")}"
`;
}

function cni(files: Layout) {
  return {
    cniVersion: "1.0.0",
    name: "bascule",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(files.data, "cni"),
          ranges: [[{ subnet: addresses.nodePodNetwork }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    ],
  };
}

function kubelet(files: Layout) {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(files.certificates, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: join(files.certificates, "kubelet.crt"),
    tlsPrivateKeyFile: join(files.certificates, "kubelet.key"),
    containerRuntimeEndpoint: `unix://${files.containerdSocket}`,
    podLogsDir: join(files.data, "pod-logs"),
    resolvConf: join(files.configuration, "resolv.conf"),
    failSwapOn: false,
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    // The rig shares its disk with whatever else the machine does; a full one is not the tests' concern.
    evictionHard: {
      "memory.available": "0%",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
  };
}

function proxy(files: Layout) {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: files.kubeconfig("proxy"), qps: 200, burst: 400 },
    hostnameOverride: addresses.nodeName,
    mode: "iptables",
    clusterCIDR: addresses.podNetwork,
    detectLocalMode: "ClusterCIDR",
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    // The default, a second between two writes, is what the tests would measure instead of Bascule; a zero means the default.
    iptables: { minSyncPeriod: "20ms", syncPeriod: "30s", localhostNodePorts: false },
  };
}
