export type { Cluster, Gateway, StartOptions } from "./cluster/cluster.ts";
export { installDefinitions, type DefinitionFamilyName } from "./cluster/definitions.ts";
export { images } from "./cluster/images.ts";
export { startCluster, stopCluster } from "./cluster/start-cluster.ts";
export * from "./engine/index.ts";
export { createProgress, type Progress } from "./progress.ts";
export type { LoadReport } from "./load/load-report.ts";
export { startLoad, type Load } from "./load/start-load.ts";
