import { versions } from "../versions.ts";
import type { Tool } from "./tool.ts";

const componentBase = "k8s.io/component-base/version";
const kubernetesFlags = (() => {
  const [major, minor] = versions.kubernetes.split(".");
  return `-s -w -X ${componentBase}.gitVersion=v${versions.kubernetes} -X ${componentBase}.gitMajor=${major} -X ${componentBase}.gitMinor=${minor}`;
})();

function kubernetes(name: string): Tool {
  const url = `https://dl.k8s.io/v${versions.kubernetes}/bin/linux/amd64/${name}`;
  return {
    name,
    version: versions.kubernetes,
    versionArguments: ["--version"],
    download: { url, checksumUrl: `${url}.sha256` },
    build: { module: "kubernetes", package: `k8s.io/kubernetes/cmd/${name}`, linkerFlags: kubernetesFlags },
  };
}

function containerd(name: string, versionArguments?: readonly string[]): Tool {
  const url = `https://github.com/containerd/containerd/releases/download/v${versions.containerd}/containerd-${versions.containerd}-linux-amd64.tar.gz`;
  return {
    name,
    version: versions.containerd,
    ...(versionArguments ? { versionArguments } : {}),
    download: { url, checksumUrl: `${url}.sha256sum`, member: `bin/${name}` },
    build: {
      module: "containerd",
      package: `github.com/containerd/containerd/v2/cmd/${name}`,
      linkerFlags: `-s -w -X github.com/containerd/containerd/v2/version.Version=v${versions.containerd}`,
      environment: { CGO_ENABLED: "0" },
    },
  };
}

const etcdRelease = `https://github.com/etcd-io/etcd/releases/download/v${versions.etcd}`;
const pulumiRelease = `https://github.com/pulumi/pulumi/releases/download/v${versions.pulumi}`;

/** All of a cluster's programs, in the order in which they are built: the longest build first warms the Go cache for the rest. */
export const clusterTools = {
  etcd: {
    name: "etcd",
    version: versions.etcd,
    versionArguments: ["--version"],
    download: {
      url: `${etcdRelease}/etcd-v${versions.etcd}-linux-amd64.tar.gz`,
      checksumUrl: `${etcdRelease}/SHA256SUMS`,
      member: `etcd-v${versions.etcd}-linux-amd64/etcd`,
    },
    build: { module: "etcd", package: "go.etcd.io/etcd/server/v3", linkerFlags: "-s -w" },
  },
  containerd: containerd("containerd", ["--version"]),
  shim: containerd("containerd-shim-runc-v2"),
  ctr: containerd("ctr", ["--version"]),
  apiServer: kubernetes("kube-apiserver"),
  controllerManager: kubernetes("kube-controller-manager"),
  scheduler: kubernetes("kube-scheduler"),
  kubelet: kubernetes("kubelet"),
  proxy: kubernetes("kube-proxy"),
} as const satisfies Record<string, Tool>;

const traefikModule = "github.com/traefik/traefik/v3";
const traefikRelease = `https://github.com/traefik/traefik/releases/download/v${versions.traefik}`;
const traefikArchive = `traefik_v${versions.traefik}_linux_amd64.tar.gz`;

/** The data plane of the Gateway API. Its module lacks the dashboard, which is compiled elsewhere and embedded. */
export const gatewayTool: Tool = {
  name: "traefik",
  version: versions.traefik,
  versionArguments: ["version"],
  download: {
    url: `${traefikRelease}/${traefikArchive}`,
    checksumUrl: `${traefikRelease}/traefik_v${versions.traefik}_checksums.txt`,
    member: "traefik",
  },
  build: {
    module: "traefik",
    package: `${traefikModule}/cmd/traefik`,
    linkerFlags: `-s -w -X ${traefikModule}/pkg/version.Version=${versions.traefik}`,
    environment: { CGO_ENABLED: "0" },
    isVendored: true,
  },
};

/** The Pulumi engine's programs. */
export const engineTools = {
  pulumi: {
    name: "pulumi",
    version: versions.pulumi,
    versionArguments: ["version"],
    download: {
      url: `https://get.pulumi.com/releases/sdk/pulumi-v${versions.pulumi}-linux-x64.tar.gz`,
      checksumUrl: `${pulumiRelease}/pulumi-${versions.pulumi}-checksums.txt`,
      member: "pulumi/pulumi",
    },
    build: {
      module: "pulumi",
      package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      linkerFlags: `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${versions.pulumi}`,
    },
  },
  languageHost: {
    name: "pulumi-language-nodejs",
    version: versions.pulumiLanguageNodejs,
    build: {
      module: "pulumi-language-nodejs",
      package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
      linkerFlags: "-s -w",
    },
  },
} as const satisfies Record<string, Tool>;
