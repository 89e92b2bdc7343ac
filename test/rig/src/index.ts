export type { Cluster, StartOptions } from "./cluster/cluster.ts";
export { images } from "./cluster/images.ts";
export { startCluster, stopCluster } from "./cluster/start-cluster.ts";
export * from "./engine/index.ts";
export { createProgress, type Progress } from "./progress.ts";
