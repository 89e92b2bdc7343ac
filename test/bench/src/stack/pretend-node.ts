import {
  ApiException,
  CoordinationV1Api,
  CoreV1Api,
  ListWatch,
  PatchStrategy,
  setHeaderOptions,
  V1MicroTime,
  Watch,
  type KubeConfig,
  type V1Pod,
} from "@kubernetes/client-node";

/**
 * A node that exists only in the API: its Pods are reported ready without running, with the address of a Pod that does, so that
 * Services route and probes pass. One machine can so have hundreds of releases.
 */
export interface PretendNode {
  /** Removes the node; its Pods must be gone. */
  remove(): Promise<void>;
}

const renewMs = 10_000;
const leaseNamespace = "kube-node-lease";
const mergePatch = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

/**
 * Registers the node and keeps it alive.
 *
 * @param podAddress where the Pod is that answers for all of its Pods
 * @param onTrouble told of each report that the API did not take
 */
export async function startPretendNode(
  configuration: KubeConfig,
  name: string,
  podAddress: string,
  onTrouble: (message: string) => void,
): Promise<PretendNode> {
  const core = configuration.makeApiClient(CoreV1Api);
  const coordination = configuration.makeApiClient(CoordinationV1Api);

  await core.createNode({
    body: {
      metadata: { name, labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
      spec: { taints: [{ key: "bascule.dev/pretend", effect: "NoSchedule" }] },
    },
  });
  const reportNode = () => core.patchNodeStatus({ name, body: { status: nodeStatus(new Date()) } }, mergePatch);
  await reportNode();
  const lease = {
    metadata: { name, namespace: leaseNamespace },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: new V1MicroTime() },
  };
  await coordination.createNamespacedLease({ namespace: leaseNamespace, body: lease });

  const attempt = (request: Promise<unknown>) => {
    request.catch((thrown: unknown) => {
      // What is not there any more needs no report.
      if (thrown instanceof ApiException && thrown.code === 404) return;
      onTrouble(`the pretended node ${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    });
  };
  const report = (pod: V1Pod) => {
    const target = { name: pod.metadata?.name ?? "", namespace: pod.metadata?.namespace ?? "" };
    if (pod.metadata?.deletionTimestamp) {
      attempt(core.deleteNamespacedPod({ ...target, gracePeriodSeconds: 0 }));
    } else if (pod.status?.phase !== "Running") {
      const body = { status: podStatus(pod, podAddress, new Date()) };
      attempt(core.patchNamespacedPodStatus({ ...target, body }, mergePatch));
    }
  };
  const fieldSelector = `spec.nodeName=${name}`;
  const pods = new ListWatch<V1Pod>(
    "/api/v1/pods",
    new Watch(configuration),
    () => core.listPodForAllNamespaces({ fieldSelector }),
    false,
    undefined,
    fieldSelector,
  );
  pods.on("add", report);
  pods.on("update", report);
  let isRemoved = false;
  pods.on("error", () => {
    // Stopping ends the watch with an error too.
    if (!isRemoved) attempt(pods.start());
  });
  await pods.start();

  const renewal = setInterval(() => {
    const body = { spec: { renewTime: new V1MicroTime() } };
    attempt(coordination.patchNamespacedLease({ name, namespace: leaseNamespace, body }, mergePatch));
  }, renewMs);

  return {
    remove: async () => {
      isRemoved = true;
      clearInterval(renewal);
      await pods.stop();
      await core.deleteNode({ name });
    },
  };
}

function nodeStatus(now: Date) {
  const size = { cpu: "10000", memory: "10Ti", pods: "10000" };
  return {
    capacity: size,
    allocatable: size,
    conditions: [
      {
        type: "Ready",
        status: "True",
        reason: "Pretended",
        message: "made for a benchmark",
        lastHeartbeatTime: now,
        lastTransitionTime: now,
      },
    ],
  };
}

function podStatus({ spec }: V1Pod, address: string, now: Date) {
  const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
    type,
    status: "True",
    lastTransitionTime: now,
  }));
  return {
    phase: "Running",
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: now,
    conditions,
    containerStatuses: spec?.containers.map(({ name, image = "" }) => ({
      name,
      image,
      imageID: "",
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now } },
    })),
  };
}
